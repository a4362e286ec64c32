"""One token: the best of the vocabulary from a few per cent of it, with a learned shallow score.

1. Every allowed token is run through the first two blocks only (fewer for a unit in these), after BOS and
   prefix. That costs forward tokens of a shallow model and scores nothing. The residual vector, of length 1,
   describes the token.
2. Score a part of what may be scored: the tokens with the shortest residual vectors, random ones, and
   the problem's starts' last tokens. Alone after BOS most tokens of the default model become sinks in its
   next block; the strongest inputs are mostly among the rest, common words with short vectors.
3. Take the slopes of the score by the residual vector at some of the best tokens so far and at random ones.
   Most of what changes the score lies in the space that the slopes span (an active subspace: Constantine,
   Dow & Wang 2014, arXiv:1304.2070): its first directions, and products of two of them, are the features that
   count. The vector's own dimensions are features too, with less weight.
4. Fit the scores by ridge regression and score the unscored tokens that are predicted best. Repeat from 3
   until ``share`` of the vocabulary is scored; a token whose slope is taken is counted again.

Where the whole vocabulary is affordable (that of a toy model), it is scored whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from actmax.models.sinks import residual_at
from actmax.models.sites import Site
from actmax.search.after_block import after_block
from actmax.search.method import Step, Steps
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer
from actmax.shapes import Scores

_SMALL = 4096
"""A vocabulary that is scored whole."""
_LAYER = 1
"""The block after which tokens are described."""
_ROUNDS = 10
"""After the first, equal parts of the rest."""
_FIRST, _SHORT = 0.2, 0.7
"""Share of the first round, and of the tokens with short vectors in it."""
_STEEP, _RANDOM = 48, 24
"""Slopes of a round: at the best tokens, and at random ones."""
_REMEMBERED = 3
"""Rounds whose slopes span the space."""
_DIRECTIONS = 16
_RIDGE = 0.01
"""Of the number of rows."""
_PLAIN = 0.3
"""Weight of the vector's own dimensions."""
_FARTHEST = 8.0
"""Standard deviations at which a feature is cut."""


@dataclass(frozen=True)
class Described:
    """Every token after the first blocks."""

    site: Site | None
    """None describes tokens by their embeddings."""
    vectors: Float[Tensor, "vocab d_model"]
    """Of length 1."""
    norms: Float[Tensor, " vocab"]
    """Before that."""


def screen(scorer: Scorer, problem: Problem, rng: torch.Generator, share: float) -> Steps:
    """Score at most ``share`` of the allowed tokens (all of a small vocabulary), the promising ones first."""
    ids = problem.tokens.allowed.ids
    ids = ids[problem.tokens.keep(ids[:, None])] if problem.tokens.reachable else ids
    if len(ids) <= _SMALL:
        order = ids[torch.randperm(len(ids), generator=rng)]
        scores = scorer.ids(order[:, None]).scores
        yield _step(0, order, scores)
        return "every allowed token was scored"
    most = max(1, int(share * len(problem.tokens.allowed.ids)))
    if scorer.left is not None:
        most = min(most, scorer.left)
    first = max(1, int(_FIRST * most))
    size = -(-(most - first) // _ROUNDS)
    described = describe(scorer, problem, ids)
    chosen = torch.zeros(len(ids), dtype=torch.bool)
    short = described.norms.argsort()[: int(_SHORT * first)]
    at = torch.cat([short, torch.randperm(len(ids), generator=rng)[: first - len(short)]])
    known = torch.tensor(sorted({row[-1] for row in problem.tokens.starts}), dtype=torch.long)
    at = torch.unique(torch.cat([torch.isin(ids, known).nonzero().flatten(), at]))[:most]
    scored_at, scores = at[:0], torch.zeros(0, dtype=torch.float64)
    slopes: list[Float[Tensor, "some d_model"]] = []
    left, index = most, 0
    while len(at):
        new = scorer.ids(ids[at][:, None]).scores
        scored_at, scores = torch.cat([scored_at, at]), torch.cat([scores, new])
        chosen[at] = True
        left -= len(at)
        yield _step(index, ids[scored_at], scores)
        index += 1
        steep = looked_at(scored_at, scores, rng, left // 2)
        if len(steep):
            slopes = [*slopes, _slopes(scorer, described, ids[steep])][-_REMEMBERED:]
            left -= len(steep)
        at = predicted_best(
            described, torch.cat(slopes) if slopes else None, scored_at, scores, chosen, min(size, left)
        )
    return f"{len(scored_at)} of {len(ids)} tokens were scored, the rest is predicted to be worse"


def looked_at(
    scored_at: Int[Tensor, " scored"], scores: Scores, rng: torch.Generator, most: int
) -> Int[Tensor, " some"]:
    """The tokens at which slopes are taken, at most ``most``: the best, and random ones that may be read."""
    finite = scored_at[scores.isfinite()]
    best = finite[scores[scores.isfinite()].topk(min(_STEEP, len(finite))).indices]
    random = finite[torch.randperm(len(finite), generator=rng)[:_RANDOM]]
    both: Int[Tensor, " some"] = torch.cat([best, random[~torch.isin(random, best)]])[: max(0, most)]
    return both


def predicted_best(
    described: Described,
    slopes: Float[Tensor, "sloped d_model"] | None,
    scored_at: Int[Tensor, " scored"],
    scores: Scores,
    chosen: Bool[Tensor, " vocab"],
    n: int,
) -> Int[Tensor, " n"]:
    """The ``n`` tokens that are not chosen with the highest predicted score.

    Args:
        described: every token.
        slopes: of the score by their vectors, at some tokens; None where there are none.
        scored_at: the tokens that were scored.
        scores: what they gave; minus infinity where nothing may be read.
        chosen: which tokens are not wanted any more.
        n: tokens wanted; fewer where there are fewer.
    """
    n = min(n, int((~chosen).sum()))
    if n <= 0:
        return scored_at[:0]
    finite = scores.isfinite()
    if int(finite.sum()) < 2:
        predicted = -described.norms
    else:
        at, target = scored_at[finite], scores[finite].float()
        target = (target - target.mean()) / target.std().clamp_min(1e-9)
        features = _features(described.vectors, slopes, at)
        rows = features[at]
        ridge = _RIDGE * len(at) * torch.eye(rows.shape[1])
        predicted = features @ torch.linalg.solve(rows.T @ rows + ridge, rows.T @ target)
    best: Tensor = predicted.masked_fill(chosen, -torch.inf).topk(n).indices
    return best


@torch.no_grad()
def describe(scorer: Scorer, problem: Problem, ids: Int[Tensor, " vocab"]) -> Described:
    """Every token after the first blocks, or its embedding where the unit reads nothing after a block."""
    residual = residual_at(problem.model, problem.unit.site)
    if residual is None or not residual.layer:
        site, rows = None, problem.model.embedding[ids.to(problem.model.device)].float().cpu()
    else:
        layer = min(_LAYER, residual.layer - 1)
        site = Site(f"blocks.{layer}.hook_resid_post", layer)
        rows = after_block(problem, scorer.meter, ids, site)
    norm = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return Described(site, rows / norm.clamp_min(1e-9), norm[:, 0])


def _slopes(scorer: Scorer, described: Described, ids: Int[Tensor, " some"]) -> Float[Tensor, "some d_model"]:
    """Directions of the slopes, of length 1."""
    slope = scorer.gradient(ids[:, None], stream=described.site)
    found = slope.embeds if slope.stream is None else slope.stream
    return torch.nn.functional.normalize(found[:, 0].nan_to_num(0.0, 0.0, 0.0), dim=1)


def _features(
    vectors: Float[Tensor, "vocab d_model"], slopes: Float[Tensor, "some d_model"] | None, at: Tensor
) -> Float[Tensor, "vocab feature"]:
    """Coordinates in the space of the slopes, products of two of them, and the vectors' own dimensions."""
    plain = _standard(vectors, at)
    parts = [_PLAIN * plain]
    if slopes is not None:
        directions = torch.linalg.svd(slopes, full_matrices=False).Vh[:_DIRECTIONS]
        inner = _standard(vectors @ directions.T, at)
        one, other = torch.triu_indices(inner.shape[1], inner.shape[1])
        parts += [inner, inner[:, one] * inner[:, other]]
    features = torch.cat(parts, dim=1)
    return features - features[at].mean(dim=0)


def _standard(
    values: Float[Tensor, "vocab feature"], at: Int[Tensor, " some"]
) -> Float[Tensor, "vocab feature"]:
    """Standardised by the rows ``at``."""
    some = values[at]
    return ((values - some.mean(dim=0)) / some.std(dim=0).clamp_min(1e-9)).clamp(-_FARTHEST, _FARTHEST)


def _step(index: int, ids: Int[Tensor, " scored"], scores: Scores) -> Step:
    top = int(scores.argmax())
    return Step(index, ((int(ids[top]),),), (float(scores[top]),))
