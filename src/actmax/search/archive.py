"""What a search has found: the best sequences, the frontier against cross-entropy, and when each best came.

Every row that the scorer scores is offered. Only rows that may be given (allowed, of a wanted length,
reachable where that is asked), that have a finite score and that keep within the limit of nats per token can
be the best, so that no method can claim another. The frontier takes no notice of the limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from actmax.search.problem import BEYOND, Problem, Row
from actmax.shapes import Ids, Scores

MOST = 256
"""The best that are remembered, for diversity and for re-scoring."""


@dataclass(frozen=True)
class FoundRow:
    """A sequence with what it gave in the search."""

    ids: Row
    score: float
    activation: float
    nats: float | None
    """Per token, where it was asked for."""
    at: int
    """Sequences scored when it was found."""


class Archive:
    """The best of everything that was scored."""

    def __init__(self, problem: Problem, most: int = MOST) -> None:
        self._problem, self._most = problem, most
        self._found: dict[Row, FoundRow] = {}
        self._frontier: dict[Row, FoundRow] = {}
        self._floor = -math.inf
        self.curve: list[FoundRow] = []
        """Every improvement of the best, in order."""

    @property
    def best(self) -> FoundRow | None:
        """The best so far."""
        return self.curve[-1] if self.curve else None

    @property
    def found(self) -> list[FoundRow]:
        """The best so far, best first."""
        return sorted(self._found.values(), key=lambda one: (-one.score, one.ids))[: self._most]

    @property
    def frontier(self) -> list[FoundRow]:
        """Those that no other beats in both activation and nats per token, most active first."""
        return sorted(self._frontier.values(), key=lambda one: -self._problem.objective.sign * one.activation)

    def offer(self, ids: Ids, scores: Scores, activation: Scores, nats: Scores | None, before: int) -> None:
        """Remember the good ones of rows that were scored as numbers ``before + 1`` and on."""
        space = self._problem.tokens
        if not space.least <= ids.shape[1] <= space.length:
            return
        within = scores > -BEYOND
        worth = within & (scores > self._floor)
        if nats is not None:
            worth |= scores.isfinite() & self._may_be_on_frontier(activation, nats)
        at = worth.nonzero().flatten()
        at = at[space.keep(ids[at])] if len(at) else at
        for i in at.tolist():
            row: Row = tuple(ids[i].tolist())
            one = FoundRow(
                row,
                float(scores[i]),
                float(activation[i]),
                None if nats is None else float(nats[i]),
                before + i + 1,
            )
            if bool(within[i]):
                self._found.setdefault(row, one)
                if self.best is None or one.score > self.best.score:
                    self.curve.append(one)
            if one.nats is not None:
                self._put_on_frontier(one)
        if len(self._found) > 2 * self._most:
            top = self.found
            self._found = {one.ids: one for one in top}
            self._floor = top[-1].score

    def _may_be_on_frontier(self, activation: Scores, nats: Scores) -> Bool[Tensor, " batch"]:
        free = torch.ones(len(nats), dtype=torch.bool)
        sign = self._problem.objective.sign
        for one in self._frontier.values():
            assert one.nats is not None  # noqa: S101 - only those with one are on it
            free &= ~((sign * one.activation >= sign * activation) & (one.nats <= nats))
        return free

    def _put_on_frontier(self, one: FoundRow) -> None:
        sign = self._problem.objective.sign

        def beats(a: FoundRow, b: FoundRow) -> bool:
            return sign * a.activation >= sign * b.activation and (a.nats or 0.0) <= (b.nats or 0.0)

        if any(beats(other, one) for other in self._frontier.values()):
            return
        self._frontier = {row: other for row, other in self._frontier.items() if not beats(one, other)}
        self._frontier[one.ids] = one
