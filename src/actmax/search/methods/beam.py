"""Beam search, left to right: the model's own next tokens, chosen by the objective.

As Sadasivan et al. 2024, "Fast Adversarial Attacks on Language Models In One GPU Minute" (BEAST),
arXiv:2402.15570.

1. The model writes the beginnings of ``width · branch`` rows (all but the last ``chosen`` tokens), each token
   drawn among its ``top_k`` most probable ones.
2. Score them. The ``width`` best are the beam.
3. Ask the model for its next-token probabilities after every row of the beam. Of the ``top_k`` most probable
   tokens after each row take ``branch`` different ones: drawn by their probability, in turn with those that
   the gradient of the score at the new place promises most (``guided``; the paper draws all of them).
4. Score every continuation, from the keys and values of the row that it continues. Repeat from 2 until the
   length is reached.

The paper's width and branch are 15; it appends to a prompt, which is written here. With a budget, the last
token has the share ``last`` of it, the ``chosen`` tokens before equal parts of the rest (what they do not use
is the last token's), and the width is at most the root of such a part. Rows that are not yet of a wanted
length are guides, not results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Interval
from jaxtyping import Int
from torch import Tensor

from actmax.inputs.relaxed import gumbel_noise
from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer
from actmax.search.written import written
from actmax.shapes import Ids


@dataclass(frozen=True, kw_only=True)
class Beam(Method):
    """Left to right under the model's own probabilities."""

    name: ClassVar[str] = "beam"

    width: Annotated[int, Ge(1)] = 15
    """Rows of the beam (at most)."""
    branch: Annotated[int, Ge(1)] = 15
    """Continuations of each row (at most)."""
    top_k: Annotated[int, Ge(1)] = 512
    """The number of most probable tokens that the continuations are drawn from."""
    temperature: Annotated[float, Gt(0)] = 1.0
    """Temperature of the draw."""
    chosen: Annotated[int, Ge(1)] = 6
    """Tokens at the end that the objective chooses; the model writes what is before them."""
    guided: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Share of the continuations that the gradient chooses among the ``top_k``; the rest is drawn."""
    last: Annotated[float, Interval(ge=0, le=1)] = 0.2
    """Share of the budget for the last token, which is the one that most objectives read."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Grow rows to the full length once."""
        places = min(self.chosen, problem.tokens.length)
        width, children = self.width, self.width * self.branch
        final = children
        if scorer.left is not None:
            final = int(self.last * scorer.left) if places > 1 else scorer.left
            children = min(children, (scorer.left - final) // max(1, places - 1) or final)
            final = max(final, scorer.left - (places - 1) * children)
            width = min(width, max(1, math.isqrt(children)))
            if self.guided and children > width:  # the gradients are paid for, too
                children, final = children - width, max(1, final - width)
        if not children:
            return "what is left of the budget does not reach the length"
        beam, of = self._first(scorer, problem, children, rng), torch.zeros(0, dtype=torch.long)
        parents: Ids | None = None
        for index in range(places):
            if not len(beam):
                return "the model's probable tokens make no text that may be given"
            scores = scorer.ids(beam, base=parents, of=None if parents is None else of).scores
            top = scores.topk(min(width, len(beam)))
            parents = beam[top.indices]
            yield Step(index, tuple(map(tuple, parents.tolist())), tuple(top.values.tolist()))
            if index + 1 < places:
                wanted = children if index + 2 < places else final
                beam, of = self._continued(scorer, problem, parents, wanted, rng)
        return "the beam has reached the length"

    def _first(
        self, scorer: Scorer, problem: Problem, n: int, rng: torch.Generator
    ) -> Int[Tensor, "row token"]:
        """The written beginnings with the first of the chosen tokens: at most ``n`` rows."""
        length = problem.tokens.length - min(self.chosen, problem.tokens.length) + 1
        if length > 1:
            return written(scorer, problem, rng, n, length=length, top=self.top_k)
        if not problem.frame.before:
            allowed = problem.tokens.allowed.ids
            return allowed[torch.randperm(len(allowed), generator=rng)[:n]][:, None]
        after = scorer.next_tokens(torch.zeros(1, 0, dtype=torch.long), self.top_k)
        rows = after.tokens[0][self._drawn(after.log_probs, rng)[0]][:, None]
        return rows[problem.tokens.keep(rows)][:n]

    def _continued(
        self, scorer: Scorer, problem: Problem, parents: Ids, children: int, rng: torch.Generator
    ) -> tuple[Int[Tensor, "child longer"], Int[Tensor, " child"]]:
        after = scorer.next_tokens(parents, self.top_k)
        drawn = after.tokens.gather(1, self._drawn(after.log_probs, rng))
        if self.guided:
            drawn = self._guided(scorer, parents, after.tokens, drawn)
        rows: list[Tensor] = []
        of: list[int] = []
        for parent in range(len(parents)):
            branch = children // len(parents) + (parent < children % len(parents))
            found = parents[:0].new_zeros(0, parents.shape[1] + 1)
            for some in drawn[parent].split(max(1, 4 * branch)):
                more = torch.cat([parents[parent].expand(len(some), -1), some[:, None]], dim=1)
                found = torch.cat([found, more[problem.tokens.keep(more)]])
                if len(found) >= branch:
                    break
            rows.append(found[:branch])
            of += [parent] * len(rows[-1])
        return torch.cat(rows), torch.tensor(of, dtype=torch.long)

    def _guided(
        self, scorer: Scorer, parents: Ids, tokens: Int[Tensor, "batch k"], drawn: Int[Tensor, "batch k"]
    ) -> Int[Tensor, "batch k"]:
        """The drawn tokens, with those in between that the gradient promises most of.

        The gradient is taken at the most probable token in the new place.
        """
        slope = scorer.gradient(torch.cat([parents, tokens[:, :1]], dim=1)).embeds[:, -1]
        rows = scorer.model.embedding[tokens.to(scorer.model.device)].float().cpu()
        order = (rows @ slope[:, :, None])[..., 0].argsort(dim=1, descending=True)
        best = tokens.gather(1, order)
        merged: list[list[int]] = []
        for promising, probable in zip(best.tolist(), drawn.tolist(), strict=True):
            queues, taken, debt = (iter(promising), iter(probable)), dict[int, None](), 0.0
            while len(taken) < len(promising):
                debt += self.guided
                queue = queues[0] if debt >= 1 else queues[1]
                debt -= debt >= 1
                taken.update(dict.fromkeys(token for token in [next(queue, None)] if token is not None))
            merged.append(list(taken))
        return torch.tensor(merged)

    def _drawn(self, log_probs: Tensor, rng: torch.Generator) -> Tensor:
        """An order of the tokens: drawn without replacement, by Gumbel's trick."""
        noise = gumbel_noise(tuple(log_probs.shape), rng)
        order: Tensor = (log_probs / self.temperature + noise).argsort(dim=1, descending=True)
        return order
