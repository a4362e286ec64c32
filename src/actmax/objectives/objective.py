"""Objectives: what to maximise, declared before any model runs.

An objective is a weighted sum of terms and nothing else, for vectors and for tokens. A term has one value at
every position and a way to reduce these to one score per sequence, each row only from its own sequence: so
restarts, candidates and units are batched freely, and positions that sequences share are read once.
Objectives combine with ``+``, ``-`` and ``*``; larger scores are better, so a penalty enters with a minus::

    objective = activation(unit) - 0.5 * activation(other, "max") - 0.01 * squared_norm()

The first term is the one that results report as the activation; the rest shapes the search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from actmax.models.sites import Site
from actmax.shapes import Acts, Ids, Scores

PerPosition: TypeAlias = Float[Tensor, "batch pos"]
Readable: TypeAlias = Bool[Tensor, "batch pos"]


@dataclass(frozen=True)
class Reading:
    """What a forward pass gave: all that a term may look at."""

    acts: Mapping[Site, Acts]
    """Values at the positions that were run, after the prefix."""
    ids: Ids | None = None
    """The tokens at those positions, where the input is tokens."""
    before: Mapping[Site, Float[Tensor, "1 before _"]] = field(default_factory=dict)
    """Values on the shared prefix ``[1, pos, width]``, where there is one."""
    past: int = 0
    """Positions of the whole sequence that precede these."""


@runtime_checkable
class Term(Protocol):
    """One summand of an objective."""

    @property
    def needs(self) -> frozenset[Site]:
        """The sites it reads: how deep the model must run, and whether logits are computed."""

    def values(self, reading: Reading) -> PerPosition:
        """Its value at every position."""

    def readable(self, reading: Reading) -> Readable | None:
        """The positions that may be read; None for all of them."""

    def reduce(self, values: PerPosition, readable: Readable | None, *, anyway: bool = False) -> Scores:
        """One score per sequence.

        Args:
            values: as :meth:`values` gives them, over all positions after the prefix.
            readable: as :meth:`readable` gives it.
            anyway: read a sequence without readable positions too, so that its slope leads away from there;
                otherwise its score is NaN.
        """


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms."""

    terms: tuple[tuple[float, Term], ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("an objective needs at least one term")

    @property
    def needs(self) -> frozenset[Site]:
        """All sites that its terms read."""
        return frozenset().union(*(term.needs for _, term in self.terms))

    @property
    def first(self) -> Term:
        """The term that results report."""
        return self.terms[0][1]

    @property
    def weight(self) -> float:
        """The weight of the first term."""
        return self.terms[0][0]

    @property
    def sign(self) -> float:
        """1, or -1 where the first term is minimised."""
        return math.copysign(1.0, self.weight)

    def with_first(self, term: Term) -> Objective:
        """The same with another first term, under the same weight."""
        return replace(self, terms=((self.weight, term), *self.terms[1:]))

    def __call__(self, reading: Reading) -> Scores:
        """``Σ weight · term``, one score per sequence."""
        return sum_of(
            [
                weight * term.reduce(term.values(reading), term.readable(reading))
                for weight, term in self.terms
            ]
        )

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __sub__(self, other: Objective) -> Objective:
        return self + -1.0 * other

    def __neg__(self) -> Objective:
        return -1.0 * self

    def __mul__(self, factor: float) -> Objective:
        return Objective(tuple((factor * weight, term) for weight, term in self.terms))

    __rmul__ = __mul__

    def __str__(self) -> str:
        return weighted_words(self.terms)


def sum_of(parts: Sequence[Tensor]) -> Tensor:
    """The sum, from the first on."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def weighted_words(terms: tuple[tuple[float, object], ...]) -> str:
    """A weighted sum as text: ``a - 0.5 · b``."""
    parts = [f"{'-' if w < 0 else '+'} {_weight(abs(w))}{term}" for w, term in terms]
    return " ".join(parts).removeprefix("+ ")


def _weight(weight: float) -> str:
    return "" if weight == 1 else f"{weight:g} · "
