"""What a search may spend and what it has spent: one budget for all methods.

The budget is a number of sequences. A sequence is scored when a row goes through the model for its score or
for the gradient of its score, tokens or soft. Running a shared beginning again for its keys and values, or
asking for next-token probabilities, scores nothing and counts only as forward tokens. Scoring the winners
again at the end is not part of the search.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from actmax.errors import ActmaxError


@dataclass(frozen=True)
class Spent:
    """What a search has spent."""

    forward_tokens: int = 0
    """Positions that went forward through the model (a shared prefix counts once)."""
    backward_tokens: int = 0
    """Positions that a gradient was taken for."""
    sequences_scored: int = 0
    seconds: float = 0.0


class BudgetSpent(Exception):  # noqa: N818 - not an error: it ends a search
    """The budget is spent; what was scored up to it has been recorded."""


class Meter:
    """Counts, and says how much is left."""

    def __init__(self, budget: int | None = None) -> None:
        """A meter that has counted nothing.

        Args:
            budget: sequences that may be scored; None is no limit.

        Raises:
            ActmaxError: a budget below 1.
        """
        if budget is not None and budget < 1:
            raise ActmaxError(f"--budget must be at least 1 (got {budget}).")
        self.whole = self.budget = budget
        self._forward = self._backward = self._scored = 0
        self._before = 0.0
        self._began = time.perf_counter()

    @property
    def cost(self) -> Spent:
        """What has been spent so far."""
        return Spent(self._forward, self._backward, self._scored, self.seconds)

    @property
    def seconds(self) -> float:
        """Since the meter was made, with what a resumed search took before."""
        return self._before + time.perf_counter() - self._began

    def allot(self, share: float) -> None:
        """From now on only this share of the whole budget may be spent (0 to 1, what is spent included)."""
        self.budget = None if self.whole is None else share_of(self.whole, share)

    @property
    def left(self) -> int | None:
        """Sequences that may still be scored; None is no limit."""
        return None if self.budget is None else self.budget - self._scored

    def affordable(self, rows: int) -> int:
        """How many of ``rows`` sequences fit into what is left.

        Raises:
            BudgetSpent: none of them does.
        """
        if rows == 0 or self.left is None:
            return rows
        if self.left < 1:
            raise BudgetSpent
        return min(rows, self.left)

    def spend(self, *, scored: int = 0, forward: int = 0, backward: int = 0) -> None:
        """Count what was run."""
        self._scored += scored
        self._forward += forward
        self._backward += backward

    def resume(self, cost: Spent) -> None:
        """Stand where an earlier process stood."""
        self._forward, self._backward = cost.forward_tokens, cost.backward_tokens
        self._scored, self._before = cost.sequences_scored, cost.seconds
        self._began = time.perf_counter()


def share_of(budget: int, part: float) -> int:
    """A part of a budget, rounded down, but at least 1."""
    return max(1, int(budget * part + 1e-9))
