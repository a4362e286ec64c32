"""HotFlip: the flips that the gradient promises most, tried position by position.

Ebrahimi et al. 2018, "HotFlip: White-Box Adversarial Examples for Text Classification", arXiv:1712.06751; for
tokens and a batch of candidates as in Wallace et al. 2019, arXiv:1908.07125.

1. Start from a random sequence.
2. Take the one-hot gradient at every position: to first order, putting token v at position p changes the
   score by ``(e_v - e_now) · ∂score/∂e_p``.
3. Position by position, from the one with the most promising flip on: score the ``candidates`` most promising
   tokens; take the best one if it improves the score, and go back to 2.
4. When no position has a flip that improves, this has converged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge

from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.proposals import at_position
from actmax.search.scorer import Scorer


@dataclass(frozen=True, kw_only=True)
class HotFlip(Method):
    """First-order flips."""

    name: ClassVar[str] = "hotflip"

    candidates: Annotated[int, Ge(1)] = 20
    """Flips tried at a position (Wallace et al. try 20)."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Flip until no flip that is tried improves."""
        ids = problem.tokens.random(1, problem.tokens.length, rng)
        index = 0
        while True:
            flips = scorer.proposals(ids, 4 * self.candidates)
            best = float(flips.scored.scores[0])
            yield Step(index, (tuple(ids[0].tolist()),), (best,))
            index += 1
            improved = False
            for position in flips.gains[0, :, 0].argsort(descending=True, stable=True).tolist():
                rows = at_position(problem, ids, position, flips.tokens[0, position], self.candidates)
                if not len(rows):
                    continue
                scores = scorer.ids(rows, base=ids).scores
                top = int(scores.argmax())
                if float(scores[top]) > best:
                    ids, improved = rows[top : top + 1], True
                    break
            if not improved:
                return "no flip that the gradient proposes improves the score"
