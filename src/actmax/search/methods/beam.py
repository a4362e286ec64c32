"""Beam search, left to right: the model's own next tokens, chosen by the objective.

As Sadasivan et al. 2024, "Fast Adversarial Attacks on Language Models In One GPU Minute" (BEAST),
arXiv:2402.15570.

1. The beam holds the prefix alone. Ask the model for its next-token probabilities after every row of the
   beam.
2. From each row's distribution draw ``branch`` different tokens (in the first step ``width · branch``).
3. Score every continuation, from the keys and values of the row that it continues.
4. The ``width`` best continuations are the new beam. Repeat from 1 until the length is reached.

The paper's width and branch are 15. Where the budget does not reach for that many, both are what it reaches
for. Rows that are not yet of a wanted length are guides, not results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.inputs.relaxed import gumbel_noise
from actmax.search.text_method import Steps, TextProblem, TextStep
from actmax.search.text_scorer import TextScorer
from actmax.shapes import Ids


@dataclass(frozen=True)
class Beam:
    """Left to right under the model's own probabilities."""

    name: ClassVar[str] = "beam"

    width: int = 15
    """Rows kept (at most)."""
    branch: int = 15
    """Continuations of each (at most)."""
    top_k: int = 512
    """Tokens that the continuations are drawn from: so many of the most probable."""
    temperature: float = 1.0
    """Of the draw."""

    def search(self, scorer: TextScorer, problem: TextProblem, rng: torch.Generator) -> Steps:
        """Grow rows to the full length once."""
        width, children = self.width, self.width * self.branch
        if scorer.left is not None:
            children = min(children, scorer.left // problem.length)
            width = min(width, math.isqrt(children))
        if not children:
            return "what is left of the budget does not reach the length"
        beam, of = self._first(scorer, problem, children, rng), torch.zeros(0, dtype=torch.long)
        parents: Ids | None = None
        for index in range(problem.length):
            if not len(beam):
                return "the model's probable tokens make no text that may be given"
            scores = scorer.ids(beam, base=parents, of=None if parents is None else of).scores
            top = scores.topk(min(width, len(beam)))
            parents = beam[top.indices]
            yield TextStep(index, tuple(map(tuple, parents.tolist())), tuple(top.values.tolist()))
            if index + 1 < problem.length:
                beam, of = self._continued(scorer, problem, parents, children, rng)
        return "the beam has reached the length"

    def _first(self, scorer: TextScorer, problem: TextProblem, n: int, rng: torch.Generator) -> Ids:
        """One-token rows: from what the model expects after the prefix, or without one from all tokens."""
        if not problem.frame.before:
            allowed = problem.allowed.ids
            return allowed[torch.randperm(len(allowed), generator=rng)[:n]][:, None]
        after = scorer.next_tokens(torch.zeros(1, 0, dtype=torch.long), self.top_k)
        rows = after.tokens[0][self._drawn(after.log_probs, rng)[0]][:, None]
        return rows[problem.tokens.keep(rows)][:n]

    def _continued(
        self, scorer: TextScorer, problem: TextProblem, parents: Ids, children: int, rng: torch.Generator
    ) -> tuple[Int[Tensor, "child longer"], Int[Tensor, " child"]]:
        after = scorer.next_tokens(parents, self.top_k)
        drawn = after.tokens.gather(1, self._drawn(after.log_probs, rng))
        rows: list[Tensor] = []
        of: list[int] = []
        for parent in range(len(parents)):
            branch = children // len(parents) + (parent < children % len(parents))
            found = parents[:0].new_zeros(0, parents.shape[1] + 1)
            for some in drawn[parent].split(4 * branch):
                more = torch.cat([parents[parent].expand(len(some), -1), some[:, None]], dim=1)
                found = torch.cat([found, more[problem.tokens.keep(more)]])
                if len(found) >= branch:
                    break
            rows.append(found[:branch])
            of += [parent] * len(rows[-1])
        return torch.cat(rows), torch.tensor(of, dtype=torch.long)

    def _drawn(self, log_probs: Tensor, rng: torch.Generator) -> Tensor:
        """An order of the tokens: drawn without replacement, by Gumbel's trick."""
        noise = gumbel_noise(tuple(log_probs.shape), rng)
        order: Tensor = (log_probs / self.temperature + noise).argsort(dim=1, descending=True)
        return order
