"""What an evolving search remembers: every row that it has scored, and the few that it goes on from.

1. A row's merit is its score. With a limit of nats per token it is ``score - price · excess``, where the
   excess is what the row has above the limit: a row just beyond it may still have children within it.
2. The pool holds the rows of most merit that differ in at least two tokens, at most half of it with the same
   last two tokens. The unit's own trigger sits near the reading position; one that scores best at first
   would otherwise fill the pool.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from actmax.search.answers import Scored
from actmax.search.problem import Problem, Row
from actmax.shapes import Ids

_LOOKED_AT = 400
"""The best rows that a pool is chosen from."""
_ENDING = 2
_APART = 2


@dataclass
class Memory:
    """Rows with what they gave."""

    problem: Problem
    price: float = 0.0
    """What a nat per token above the limit costs, in units of the score."""
    _gain: dict[Row, float] = field(default_factory=dict)
    _excess: dict[Row, float] = field(default_factory=dict)

    def __contains__(self, row: Row) -> bool:
        return row in self._gain

    def __len__(self) -> int:
        return len(self._gain)

    def add(self, ids: Ids, scored: Scored) -> None:
        """Remember rows ``[batch, token]``."""
        limit = self.problem.limit
        gains = scored.scores if limit is None else scored.gain
        if limit is not None and self.problem.price and scored.nats is not None:
            gains = gains - self.problem.price * scored.nats
        nats = [0.0] * len(ids) if scored.nats is None else scored.nats.tolist()
        for row, gain, one in zip(ids.tolist(), gains.tolist(), nats, strict=True):
            self._gain[tuple(row)] = -math.inf if math.isnan(gain) else gain
            self._excess[tuple(row)] = 0.0 if limit is None else max(0.0, one - limit)

    def merit(self, row: Row) -> float:
        """What the search maximises."""
        return self._gain[row] - self.price * self._excess[row]

    def within(self, row: Row) -> bool:
        """Whether the row keeps to the limit."""
        return self._excess[row] == 0.0

    @property
    def spread(self) -> float:
        """Of the finite activations: the largest less the middle one (1 where there is none)."""
        gains = sorted(gain for gain in self._gain.values() if math.isfinite(gain))
        wide = gains[-1] - gains[len(gains) // 2] if gains else 0.0
        return wide if wide > 0 else 1.0

    def best(self, among: set[Row] | None = None) -> list[Row]:
        """Rows from the most merit down, equals by their tokens."""
        rows = self._gain if among is None else [row for row in self._gain if row in among]
        return sorted(rows, key=lambda row: (-self.merit(row), row))

    def pool(self, size: int, among: set[Row] | None = None) -> list[Row]:
        """The rows to go on from, best first."""
        chosen: list[Row] = []
        endings: Counter[Row] = Counter()
        for row in self.best(among)[:_LOOKED_AT]:
            apart = all(differences(row, other) >= _APART for other in chosen)
            if not chosen or (apart and endings[row[-_ENDING:]] < max(1, size // 2)):
                chosen.append(row)
                endings[row[-_ENDING:]] += 1
            if len(chosen) == size:
                break
        return chosen


def differences(one: Row, other: Row) -> int:
    """Positions at which two rows of one length differ."""
    return sum(a != b for a, b in zip(one, other, strict=True))
