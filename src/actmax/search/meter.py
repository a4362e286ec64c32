"""What a search may spend and what it has spent: one budget for all methods.

A sequence is scored when a row goes through the model for its score or for the gradient of its score, tokens
or soft. Running a shared beginning again for its keys and values, or asking for next-token probabilities,
scores nothing and counts as forward tokens alone. Re-scoring the winners alone at the end is not part of the
search.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from actmax.errors import ActmaxError


@dataclass(frozen=True)
class Cost:
    """What a search has spent."""

    forward_tokens: int = 0
    """Positions that went forward through the model (a shared prefix counts once)."""
    backward_tokens: int = 0
    """Positions that a gradient was taken for."""
    sequences_scored: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Budget:
    """What a search may spend; None is no limit."""

    sequences: int | None = None
    forward_tokens: int | None = None
    backward_tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("sequences", "forward_tokens", "backward_tokens", "seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ActmaxError(f"A budget of {value} {name.replace('_', ' ')} is none; give more than 0.")

    def share(self, part: float) -> Budget:
        """A part of every limit, rounded down, but no limit less than 1."""

        def of(limit: int | None) -> int | None:
            return None if limit is None else max(1, int(limit * part + 1e-9))

        seconds = None if self.seconds is None else self.seconds * part
        return Budget(of(self.sequences), of(self.forward_tokens), of(self.backward_tokens), seconds)


class BudgetSpent(Exception):  # noqa: N818 - not an error: it ends a search
    """The budget is spent; what was scored up to it has been kept."""


class Meter:
    """Counts, and says how much is left."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.whole = budget or Budget()
        self.budget = self.whole
        self._forward = self._backward = self._scored = 0
        self._before = 0.0
        self._began = time.perf_counter()

    @property
    def cost(self) -> Cost:
        """What has been spent so far."""
        return Cost(self._forward, self._backward, self._scored, self.seconds)

    @property
    def seconds(self) -> float:
        """Since the meter was made, with what a resumed search took before."""
        return self._before + time.perf_counter() - self._began

    def allot(self, share: float) -> None:
        """From now on only this share of the whole budget may be spent (0 to 1, what is spent included)."""
        self.budget = self.whole.share(share)

    @property
    def left(self) -> int | None:
        """Sequences that may still be scored; None is no limit."""
        return None if self.budget.sequences is None else self.budget.sequences - self._scored

    def affordable(self, rows: int, tokens: int, *, backward: bool = False) -> int:
        """How many of ``rows`` sequences of ``tokens`` positions fit into what is left.

        Raises:
            BudgetSpent: none of them does.
        """
        if rows == 0:
            return 0
        most = math.inf if self.left is None else self.left
        if self.budget.forward_tokens is not None:
            most = min(most, (self.budget.forward_tokens - self._forward) // tokens)
        if backward and self.budget.backward_tokens is not None:
            most = min(most, (self.budget.backward_tokens - self._backward) // tokens)
        if most < 1 or self.late:
            raise BudgetSpent
        return int(min(rows, most))

    def demand(self, tokens: int) -> None:
        """Check that so many positions may still go forward.

        Raises:
            BudgetSpent: they may not.
        """
        limit = self.budget.forward_tokens
        if limit is not None and self._forward + tokens > limit:
            raise BudgetSpent

    @property
    def late(self) -> bool:
        """Whether the seconds are spent."""
        return self.budget.seconds is not None and self.seconds >= self.budget.seconds

    def spend(self, *, scored: int = 0, forward: int = 0, backward: int = 0) -> None:
        """Count what was run."""
        self._scored += scored
        self._forward += forward
        self._backward += backward

    def resume(self, cost: Cost) -> None:
        """Stand where an earlier process stood."""
        self._forward, self._backward = cost.forward_tokens, cost.backward_tokens
        self._scored, self._before = cost.sequences_scored, cost.seconds
        self._began = time.perf_counter()
