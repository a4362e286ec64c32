"""Moves from one sequence to others of the same length, and which of them pay: learned as the search goes on.

1. ``substitute``: n tokens are replaced by ones that the gradient proposes. The rank among the proposals is
   drawn log-uniformly (the best few and the far ones alike: on real models the order within the first
   hundreds says little).
2. ``cross``: the beginning of one member of the pool and the end of another.
3. ``shift``: a token is deleted at one place and one (the same, or a proposed one) is inserted at another.
4. ``swap``: two tokens change places.
5. ``copy``: one to four tokens are written over others (what comes again is probable, and activates again).
6. A move other than ``substitute`` is followed by a substitution now and then, so that a token that has been
   moved can be fitted to its new place.

What is learned, from every child that is better than its parent or is not: how often each move is drawn, how
often each position is, and the trust region: how many tokens are replaced at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.search.text_method import Row

KINDS = ("substitute", "cross", "shift", "swap", "copy")
_FLOOR = 0.05
"""Of a move's weight, so that none dies out."""
_FOLLOWED = 0.3
_SPAN = 4
_LEARN = 0.03
_MOST = 6.0


@dataclass(frozen=True)
class Child:
    """A new row and how it was made."""

    row: Row
    kind: str
    replaced: int
    """Tokens that were replaced by proposals."""


@dataclass
class Moves:
    """Draws children, and learns from what they gave."""

    length: int
    kinds: Sequence[str] = KINDS
    radius: float = 2.0
    """Tokens replaced at once, on average."""
    tried: dict[str, float] = field(default_factory=dict)
    better: dict[str, float] = field(default_factory=dict)
    places: list[float] = field(default_factory=list)
    """How often each position is drawn, relative to the others."""

    def __post_init__(self) -> None:
        kinds = [kind for kind in self.kinds if self.length > 1 or kind == "substitute"]
        self.kinds = kinds or ["substitute"]
        self.tried = dict.fromkeys(self.kinds, 1.0)
        self.better = dict.fromkeys(self.kinds, 1.0)
        self.places = self.places or [1.0] * self.length

    def child(
        self, parent: Row, tokens: Int[Tensor, "pos k"], pool: Sequence[Row], rng: torch.Generator
    ) -> Child:
        """One child of a parent.

        Args:
            parent: the row.
            tokens: proposals for each of its positions, best first.
            pool: members that it may be crossed with.
            rng: draws.
        """
        weights = [_FLOOR + self.better[kind] / self.tried[kind] for kind in self.kinds]
        kind = self.kinds[_drawn(weights, 1, rng)[0]]
        row = list(parent)
        if kind == "cross":
            other, cut = pool[_below(len(pool), rng)], 1 + _below(self.length - 1, rng)
            row = [*other[:cut], *row[cut:]] if _uniform(rng) < 0.5 else [*row[:cut], *other[cut:]]
        elif kind == "shift":
            out, into = _below(self.length, rng), _below(self.length, rng)
            token = row[out] if _uniform(rng) < 0.5 else _proposed(tokens[into], rng)
            del row[out]
            row.insert(into, token)
        elif kind == "swap":
            one, other_place = _below(self.length, rng), _below(self.length, rng)
            row[one], row[other_place] = row[other_place], row[one]
        elif kind == "copy":
            size = 1 + _below(min(_SPAN, self.length - 1), rng)
            source, into = (_below(self.length - size + 1, rng) for _ in range(2))
            row[into : into + size] = row[source : source + size]
        replaced = 0
        if kind == "substitute" or _uniform(rng) < _FOLLOWED:
            replaced = 1
            while replaced < self.length and _uniform(rng) > 1 / self.radius:
                replaced += 1
            for place in _drawn(self.places, replaced, rng):
                row[place] = _proposed(tokens[place], rng)
        return Child(tuple(row), kind, replaced)

    def learn(self, parent: Row, children: Sequence[Child], improved: Sequence[bool]) -> None:
        """Take in which of a parent's children are better than it."""
        for child, good in zip(children, improved, strict=True):
            self.tried[child.kind] += 1
            self.better[child.kind] += good
            for place in range(self.length):
                if child.row[place] != parent[place]:
                    target = 3.0 if good else 0.3
                    self.places[place] += _LEARN * (target - self.places[place])
        grown = [
            child.replaced
            for child, good in zip(children, improved, strict=True)
            if good and child.kind == "substitute"
        ]
        if grown:
            self.radius = 0.8 * self.radius + 0.22 * sum(grown) / len(grown)
        else:
            self.radius *= 0.93
        self.radius = min(max(self.radius, 1.05), _MOST)


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand(1, generator=rng))


def _below(n: int, rng: torch.Generator) -> int:
    return int(torch.randint(n, (1,), generator=rng))


def _drawn(weights: Sequence[float], n: int, rng: torch.Generator) -> list[int]:
    drawn: list[int] = torch.multinomial(torch.tensor(weights), n, generator=rng).tolist()
    return drawn


def _proposed(tokens: Int[Tensor, " k"], rng: torch.Generator) -> int:
    """Rank r with a probability of about 1/r."""
    rank = int(math.exp(_uniform(rng) * math.log(len(tokens) + 1))) - 1
    return int(tokens[min(rank, len(tokens) - 1)])
