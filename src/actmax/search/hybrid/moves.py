"""Moves from a sequence to its neighbours of the same length.

1. ``substitute``: some tokens are replaced by ones that the gradient proposes, more often near the end. The
   rank among the proposals is drawn log-uniformly (on real models the order within the first hundreds says
   little).
2. ``cross``: the beginning of the row and the end of another one (which is the reading end, and shares the
   row's keys and values).
3. ``shift``: a token is deleted at one place and one (the same, or a proposed one) is inserted at another.
4. ``copy``: one to four tokens are written over the tokens of another place (what comes again is probable).
5. A move other than ``substitute`` is followed by a substitution now and then, so that a token that has been
   moved can be fitted to its new place.
6. ``merged``: what several better children of a row have changed, put together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.search.problem import Row

FREE: Mapping[str, float] = {"substitute": 4.0, "cross": 1.0}
"""How often each move is drawn, relative to the rest."""
PROBABLE: Mapping[str, float] = {"substitute": 4.0, "cross": 2.0, "shift": 1.0, "copy": 1.0}
"""With a limit of nats per token."""
_FOLLOWED = 0.3
_SPAN = 4


@dataclass(frozen=True)
class Moves:
    """Draws children."""

    length: int
    kinds: Mapping[str, float]
    radius: float
    """Tokens replaced at once, on average."""
    slant: float
    """How much more often (in nats) a position is drawn than the one before it."""

    def child(
        self, parent: Row, tokens: Int[Tensor, "pos k"], pool: Sequence[Row], rng: torch.Generator
    ) -> Row:
        """One child of a parent.

        Args:
            parent: the row.
            tokens: proposals for each of its positions, best first.
            pool: rows that it may be crossed with.
            rng: draws.
        """
        kind = "substitute"
        if self.length > 1:
            kind = list(self.kinds)[_drawn(list(self.kinds.values()), 1, rng)[0]]
        row = list(parent)
        if kind == "cross":
            other, cut = pool[_below(len(pool), rng)], 1 + _below(self.length - 1, rng)
            row = [*row[:cut], *other[cut:]]
        elif kind == "shift":
            out, into = _below(self.length, rng), _below(self.length, rng)
            token = row[out] if _uniform(rng) < 0.5 else proposed(tokens[into], rng)
            del row[out]
            row.insert(into, token)
        elif kind == "copy":
            size = 1 + _below(min(_SPAN, self.length - 1), rng)
            source, into = (_below(self.length - size + 1, rng) for _ in range(2))
            row[into : into + size] = row[source : source + size]
        if kind == "substitute" or _uniform(rng) < _FOLLOWED:
            n = 1
            while n < self.length and _uniform(rng) > 1 / self.radius:
                n += 1
            for place in _drawn([math.exp(self.slant * at) for at in range(self.length)], n, rng):
                row[place] = proposed(tokens[place], rng)
        return tuple(row)


def merged(parent: Row, better: Sequence[Row], most: int) -> list[Row]:
    """The changes of better children, best first, put together one after the other: at most ``most`` rows.

    Where two have changed the same position the better one's token stays.
    """
    found: dict[Row, None] = {}
    whole = list(parent)
    for row in better:
        for at, token in enumerate(row):
            if whole[at] == parent[at]:
                whole[at] = token
        found[tuple(whole)] = None
    return [row for row in found if row not in better][:most]


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand(1, generator=rng))


def _below(n: int, rng: torch.Generator) -> int:
    return int(torch.randint(n, (1,), generator=rng))


def _drawn(weights: Sequence[float], n: int, rng: torch.Generator) -> list[int]:
    drawn: list[int] = torch.multinomial(torch.tensor(weights), n, generator=rng).tolist()
    return drawn


def proposed(tokens: Int[Tensor, " k"], rng: torch.Generator) -> int:
    """One of the proposals: rank r with a probability of about 1/r."""
    rank = int(math.exp(_uniform(rng) * math.log(len(tokens) + 1))) - 1
    return int(tokens[min(rank, len(tokens) - 1)])
