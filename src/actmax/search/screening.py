"""One token: the best of the vocabulary from a few per cent of it, with a learned shallow score.

1. Every allowed token is run through the first blocks alone (``depth`` of the unit's own), after BOS and
   prefix. That costs forward tokens of a shallow model and scores nothing. Its residual vector, of length 1,
   every dimension standardised (a few are a hundred times as large as the rest), then of length 1 again,
   describes the token.
2. Score half of what may be scored: the tokens with the shortest residual vectors, others at random, and the
   problem's starts' last tokens. Alone after BOS most tokens have a long vector, a few dimensions of which
   drown the others; the strongest inputs are mostly among the short ones, ordinary words.
3. Fit the scores by ridge regression on products of two features: the kernel is
   ``w·x·y + (1 - w)·(x·y)²``, as a gated neuron is a product of two readings of the residual.
4. Score the unscored tokens that are predicted best. Repeat from 3 until ``share`` of the vocabulary is
   scored.

Where the whole vocabulary is affordable (that of a toy model), it is scored whole.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from actmax.models.residual import residual_at
from actmax.models.sites import Site
from actmax.search.behind import after_block
from actmax.search.text_method import Steps, TextProblem, TextStep
from actmax.search.text_scorer import TextScorer
from actmax.shapes import Scores

_SMALL = 4096
"""A vocabulary that is scored whole."""
_ROUNDS = 5
"""After the first, equal parts of the rest."""
_FIRST, _SHORT = 0.5, 0.7
"""Share of the first round, and of the tokens with short vectors in it."""
_DEPTH = 0.6
_LINEAR, _RIDGE = 0.3, 0.02
_FARTHEST = 6.0
"""Standard deviations at which a feature is cut."""
_CHUNK = 2048


def screen(scorer: TextScorer, problem: TextProblem, rng: torch.Generator, share: float) -> Steps:
    """Score at most ``share`` of the allowed tokens (all of a small vocabulary), the promising ones first."""
    ids = problem.allowed.ids
    ids = ids[problem.tokens.keep(ids[:, None])] if problem.reachable else ids
    if len(ids) <= _SMALL:
        order = ids[torch.randperm(len(ids), generator=rng)]
        scores = scorer.ids(order[:, None]).scores
        yield _step(0, order, scores)
        return "every allowed token was scored"
    most = max(1, int(share * len(problem.allowed.ids)))
    if scorer.left is not None:
        most = min(most, scorer.left)
    first = max(1, int(_FIRST * most))
    size = -(-(most - first) // _ROUNDS)
    described, norms = describe(scorer, problem, ids)
    chosen = torch.zeros(len(ids), dtype=torch.bool)
    short = norms.argsort()[: int(_SHORT * first)]
    at = torch.cat([short, torch.randperm(len(ids), generator=rng)[: first - len(short)]])
    known = torch.tensor(sorted({row[-1] for row in problem.starts}), dtype=torch.long)
    at = torch.unique(torch.cat([torch.isin(ids, known).nonzero().flatten(), at]))[:most]
    scored_at, scores = at[:0], torch.zeros(0, dtype=torch.float64)
    index = 0
    while len(at):
        scored_at, scores = (
            torch.cat([scored_at, at]),
            torch.cat([scores, scorer.ids(ids[at][:, None]).scores]),
        )
        chosen[at] = True
        yield _step(index, ids[scored_at], scores)
        index += 1
        left = min(size, most - len(scored_at))
        at = promising(described, scored_at, scores, chosen, left)
    return f"{len(scored_at)} of {len(ids)} tokens were scored, the others are predicted to be worse"


def promising(
    described: Float[Tensor, "vocab feature"],
    scored_at: Int[Tensor, " scored"],
    scores: Scores,
    chosen: Tensor,
    n: int,
) -> Int[Tensor, " n"]:
    """The ``n`` tokens that are not chosen with the highest predicted score."""
    if n <= 0:
        return scored_at[:0]
    finite = scores.isfinite()
    if not bool(finite.any()):
        return (~chosen).nonzero().flatten()[:n]
    target = torch.where(finite, scores, scores[finite].min()).float()
    target = (target - target.mean()) / target.std().clamp_min(1e-9)
    rows = described[scored_at]
    weights = torch.linalg.solve(_kernel(rows @ rows.T) + _RIDGE * torch.eye(len(rows)), target)
    predicted = torch.cat([_kernel(some @ rows.T) @ weights for some in described.split(_CHUNK)])
    predicted[chosen] = -torch.inf
    best: Tensor = predicted.topk(min(n, int((~chosen).sum()))).indices
    return best


@torch.no_grad()
def describe(
    scorer: TextScorer, problem: TextProblem, ids: Int[Tensor, " vocab"]
) -> tuple[Float[Tensor, "vocab feature"], Float[Tensor, " vocab"]]:
    """Every token after the first blocks, or its embedding: standardised to a unit vector, and its norm."""
    site = residual_at(problem.model, problem.goal.unit.site)
    layer = None if site is None or site.layer is None else max(0, int(_DEPTH * site.layer))
    if layer is None or site is None or site.layer == 0:
        rows = problem.model.embedding[ids].float().cpu()
    else:
        rows = after_block(problem, scorer.meter, ids, Site(f"blocks.{layer}.hook_resid_post", layer))
    norm = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    usual = norm[:, 0] <= 5 * norm.median()
    rows = rows / norm.clamp_min(1e-9)
    rows = (rows - rows[usual].mean(dim=0)) / rows[usual].std(dim=0).clamp_min(1e-9)
    rows = rows.clamp(-_FARTHEST, _FARTHEST)
    unit: Tensor = rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min(1e-9)
    return unit, norm[:, 0]


def _kernel(inner: Float[Tensor, "one other"]) -> Float[Tensor, "one other"]:
    return _LINEAR * inner + (1 - _LINEAR) * inner.square()


def _step(index: int, ids: Int[Tensor, " scored"], scores: Scores) -> TextStep:
    top = int(scores.argmax())
    return TextStep(index, ((int(ids[top]),),), (float(scores[top]),))
