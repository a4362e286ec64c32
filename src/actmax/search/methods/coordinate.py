"""Greedy coordinate ascent: one position after the other takes its best token.

The oldest discrete search; as a text method for example in Shin et al. 2020, *AutoPrompt*, arXiv:2010.15980.

1. Start from a random sequence. Visit the positions in random order.
2. At a position score ``candidates`` tokens in its place: all of them, the first by the one-hot gradient
   (taken anew there), or a random choice.
3. Take the best one if it improves the score.
4. When a sweep over all positions has improved nothing, this has converged (with ``random`` never).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge

from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.proposals import at_position
from actmax.search.scorer import Scorer


@dataclass(frozen=True, kw_only=True)
class Coordinate(Method):
    """One position at a time."""

    name: ClassVar[str] = "coordinate"

    candidates: Annotated[int | None, Ge(1)] = 64
    """Tokens tried at a position; None tries all."""
    rank: Literal["gradient", "random"] = "gradient"
    """Which tokens are tried where not all are."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Sweep until nothing improves."""
        ids = problem.tokens.random(1, problem.tokens.length, rng)
        best = float(scorer.ids(ids).scores[0])
        index = 0
        while True:
            improved = False
            for position in torch.randperm(problem.tokens.length, generator=rng).tolist():
                rows = at_position(
                    problem, ids, position, self._tokens(scorer, ids, position, rng), self.candidates
                )
                if len(rows):
                    scores = scorer.ids(rows, base=ids).scores
                    top = int(scores.argmax())
                    if float(scores[top]) > best:
                        best, ids, improved = float(scores[top]), rows[top : top + 1], True
                yield Step(index, (tuple(ids[0].tolist()),), (best,))
                index += 1
            if not improved and (self.rank == "gradient" or self.candidates is None):
                return "no substitution that was tried improves the score"

    def _tokens(self, scorer: Scorer, ids: torch.Tensor, position: int, rng: torch.Generator) -> torch.Tensor:
        allowed = scorer.problem.tokens.allowed.ids
        if self.candidates is None:
            return allowed
        if self.rank == "gradient":
            return scorer.proposals(ids, 2 * self.candidates).tokens[0, position]
        return allowed[torch.randperm(len(allowed), generator=rng)[: 2 * self.candidates]]
