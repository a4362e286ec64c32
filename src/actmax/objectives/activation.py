"""The activation of a unit, reduced over the positions of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.models.sites import Site, Unit
from actmax.objectives.objective import Objective, Reading
from actmax.shapes import Acts, Scores

Positions = Literal["mean", "last", "max"]


def reduce(values: Float[Tensor, "batch pos *rest"], positions: Positions) -> Float[Tensor, "batch *rest"]:
    """From one value per position to one per sequence.

    Raises:
        ActmaxError: an unknown reduction.
    """
    if positions == "mean":
        return values.mean(dim=1)
    if positions == "last":
        return values[:, -1]
    if positions == "max":
        return values.amax(dim=1)
    raise ActmaxError(f"Positions are read as {', '.join(get_args(Positions))}, not {positions!r}.")


def along(unit: Unit, value: Acts) -> Float[Tensor, "batch pos"]:
    """The unit's scalar at every position: one index of its site, or the dot product with its direction."""
    if unit.direction is None:
        return value[..., unit.index]
    return value @ unit.direction.to(value)


@dataclass(frozen=True)
class Activation:
    """The activation of one unit."""

    unit: Unit
    positions: Positions = "mean"

    @property
    def needs(self) -> frozenset[Site]:
        """The unit's site."""
        return frozenset({self.unit.site})

    def __call__(self, reading: Reading) -> Scores:
        """In the units of the activation."""
        return reduce(along(self.unit, reading.acts[self.unit.site]), self.positions)

    def __str__(self) -> str:
        return f"{self.positions}({self.unit})"


def activation(unit: Unit, positions: Positions = "mean") -> Objective:
    """Maximise a unit: an index, a direction or a logit, reduced over positions by mean, last or max."""
    if positions not in get_args(Positions):
        raise ActmaxError(f"Positions are read as {', '.join(get_args(Positions))}, not {positions!r}.")
    return Objective(((1.0, Activation(unit, positions)),))


def site_profile(value: Acts, positions: Positions) -> Float[Tensor, "batch width"]:
    """Every index of a site reduced over positions as :class:`Activation` does, in float32."""
    return reduce(value.to(torch.float32), positions)
