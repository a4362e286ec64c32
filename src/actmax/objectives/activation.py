"""The activation of a unit, reduced over the positions of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.models.sites import Site, Unit
from actmax.objectives.objective import Objective, PerPosition, Readable, Reading, weighted_words
from actmax.objectives.positions import Positions as Positions
from actmax.objectives.positions import Where as Where
from actmax.objectives.reading import ReadingRule
from actmax.shapes import Acts, Scores

NAMED = (*get_args(Positions), "min")


def reduce(
    values: Float[Tensor, "batch pos *rest"],
    positions: Where,
    readable: Bool[Tensor, "batch pos"] | None = None,
) -> Float[Tensor, "batch *rest"]:
    """From one value per position to one per sequence.

    Args:
        values: ``[batch, pos]``, or without ``readable`` with further axes.
        positions: ``mean``, ``last``, ``max``, ``min``, or the number of one position.
        readable: the positions that count; None for all. A sequence with nothing to read gives NaN.

    Raises:
        ActmaxError: an unknown reduction.
    """
    if isinstance(positions, str) and positions not in NAMED:
        raise _unknown(positions)
    if readable is not None:
        return _reduce_readable(values, positions, readable)
    if positions == "mean":
        return values.mean(dim=1)
    if positions == "max":
        return values.amax(dim=1)
    if positions == "min":
        return values.amin(dim=1)
    return values[:, _place(values, positions)]


def _reduce_readable(values: PerPosition, positions: Where, readable: Readable) -> Scores:
    if positions == "mean":
        total = torch.where(readable, values, 0).sum(dim=1)
        return total / torch.where(readable.any(dim=1), readable.sum(dim=1), torch.nan)
    if positions in ("max", "min"):
        largest = positions == "max"
        within = torch.where(readable, values, -torch.inf if largest else torch.inf)
        best: Tensor = within.amax(dim=1) if largest else within.amin(dim=1)
        return torch.where(readable.any(dim=1), best, torch.nan)
    at = _place(values, positions)
    return torch.where(readable[:, at], values[:, at], torch.nan)


def _place(values: Tensor, positions: Where) -> int:
    """The position that is read: the last one in a row that does not reach it yet (a beam that grows)."""
    last = values.shape[1] - 1
    return last if positions == "last" else min(int(positions), last)


def _unknown(positions: str) -> ActmaxError:
    return ActmaxError(f"Positions are read as {', '.join(get_args(Positions))}, not {positions!r}.")


def along(unit: Unit, value: Acts) -> PerPosition:
    """The unit's scalar at every position: one index of its site, or the dot product with its direction."""
    if unit.direction is None:
        return value[..., unit.index]
    return value @ unit.direction.to(value)


@dataclass(frozen=True)
class Activation:
    """The activation of one unit, or of a weighted sum of units at the same positions."""

    unit: Unit
    positions: Where = "mean"
    also: tuple[tuple[float, Unit], ...] = ()
    """Further units whose weighted values are added to the unit's at every position."""
    rule: ReadingRule | None = None
    """Which positions may be read; None for all of them."""

    @property
    def needs(self) -> frozenset[Site]:
        """The units' sites, and the residual stream by which sinks are recognised."""
        sites = frozenset({self.unit.site, *(unit.site for _, unit in self.also)})
        return sites if self.rule is None else sites | self.rule.needs

    def values(self, reading: Reading) -> PerPosition:
        """In the units of the activation."""
        total = along(self.unit, reading.acts[self.unit.site])
        for weight, unit in self.also:
            total = total + weight * along(unit, reading.acts[unit.site])
        return total

    def readable(self, reading: Reading) -> Readable | None:
        """What its rule says."""
        return None if self.rule is None else self.rule.readable(reading)

    def reduce(self, values: PerPosition, readable: Readable | None, *, anyway: bool = False) -> Scores:
        """Over the positions that are read."""
        if readable is not None and anyway:
            if self.positions in ("mean", "max", "min"):
                readable = readable | ~readable.any(dim=1, keepdim=True)
            else:
                readable = torch.ones_like(readable)
        return reduce(values, self.positions, readable)

    def __str__(self) -> str:
        where = f"position {self.positions}" if isinstance(self.positions, int) else self.positions
        return f"{where}({weighted_words(((1.0, self.unit), *self.also))})"


def activation(
    unit: Unit,
    positions: Where = "mean",
    *,
    also: Sequence[tuple[float, Unit]] = (),
    rule: ReadingRule | None = None,
) -> Objective:
    """Maximise a unit: an index, a direction or a logit.

    Args:
        unit: from :func:`actmax.resolve`.
        positions: how its values are reduced over positions: ``mean``, ``last``, ``max`` or ``min``; with
            tokens also the number of one position after the prefix.
        also: further units with weights, added at every position before that.
        rule: which positions may be read; None for all of them, and with tokens for all that are no sinks.

    Raises:
        ActmaxError: an unknown reduction, or a negative position.
    """
    if isinstance(positions, str) and positions not in NAMED:
        raise _unknown(positions)
    if isinstance(positions, int) and positions < 0:
        raise ActmaxError(f"Positions are counted from 0 after the prefix (got {positions}).")
    return Objective(((1.0, Activation(unit, positions, tuple(also), rule)),))


def site_profile(value: Acts, positions: Where) -> Float[Tensor, "batch width"]:
    """Every index of a site reduced over positions as :class:`Activation` does, in float32."""
    return reduce(value.to(torch.float32), positions)
