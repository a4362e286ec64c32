"""Objectives: what to maximise, declared before any model runs.

An objective is a weighted sum of terms and nothing else. A term says which sites it needs and turns their
values into one score per sequence, each row from its own sequence alone, so that restarts, candidates and
units can be batched freely. Objectives combine with ``+``, ``-`` and ``*``; larger scores are better, so a
penalty enters with a minus::

    objective = activation(unit) - 0.01 * squared_norm()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from actmax.models.sites import Site
from actmax.shapes import Acts, Ids, Scores


@dataclass(frozen=True)
class Reading:
    """What a forward pass gave: all that a term may look at."""

    acts: Mapping[Site, Acts]
    """Values at the positions after the prefix."""
    ids: Ids | None = None
    """The tokens at those positions, where the input is tokens."""
    before: Mapping[Site, Float[Tensor, "1 before _"]] = field(default_factory=dict)
    """Values on the shared prefix ``[1, pos, width]``, where there is one."""


@runtime_checkable
class Term(Protocol):
    """One summand of an objective."""

    @property
    def needs(self) -> frozenset[Site]:
        """The sites it reads: how deep the model must run, and whether logits are computed."""

    def __call__(self, reading: Reading) -> Scores:
        """One score per sequence."""


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms."""

    terms: tuple[tuple[float, Term], ...]

    @property
    def needs(self) -> frozenset[Site]:
        """All sites that its terms read."""
        return frozenset().union(*(term.needs for _, term in self.terms))

    def __call__(self, reading: Reading) -> Scores:
        """``Σ weight · term``, one score per sequence."""
        scores = [weight * term(reading) for weight, term in self.terms]
        total = scores[0]
        for score in scores[1:]:
            total = total + score
        return total

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
        parts = [f"{'-' if w < 0 else '+'} {_weight(abs(w))}{term}" for w, term in self.terms]
        text = " ".join(parts)
        return text.removeprefix("+ ")


def _weight(weight: float) -> str:
    return "" if weight == 1 else f"{weight:g} · "
