"""What a token search maximises: a unit at some positions, less a penalty on unlikely text.

1. At every position after the prefix (the searched tokens, then the suffix) the unit has one value.
2. Positions that are attention sinks (residual norm above a multiple of the median at the unit's depth) and
   position 0 of the whole sequence are not read, unless asked.
3. The values that are read are reduced by ``last``, ``mean`` or ``max``, or one position is read by its
   number. Where nothing may be read (the last position is a sink) the score is minus infinity.
4. ``score = ±activation - fluency · nats per token``. With ``max_nats`` a sequence above the limit scores
   below every sequence within it, and the lower the further it is above, so that a search is led back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.models.sites import Site, Unit
from actmax.objectives.activation import Positions, along
from actmax.shapes import Acts, Scores

Where: TypeAlias = Positions | int
"""How positions are read: reduced, or one of them by its number after the prefix."""

BEYOND = 1e9
"""What a sequence above the limit of nats per token loses, before its distance to the limit."""

SINK_MULTIPLE = 5.0
"""Times the median residual norm at the same depth."""


@dataclass(frozen=True)
class Sinks:
    """Which positions are sinks."""

    site: Site
    """The residual stream that is looked at."""
    median: float
    """Its median norm over ordinary positions."""
    multiple: float = SINK_MULTIPLE

    def mask(self, residual: Acts) -> Bool[Tensor, "batch pos"]:
        """Where the norm exceeds the multiple of the median."""
        norm: Tensor = torch.linalg.vector_norm(residual.detach().float(), dim=-1)
        return norm > self.multiple * self.median


@dataclass(frozen=True)
class Goal:
    """What is maximised."""

    unit: Unit
    positions: Where = "last"
    minimize: bool = False
    fluency: float = 0.0
    """Activation that one nat per token costs."""
    max_nats: float | None = None
    """Text above this cross-entropy is not wanted (nats per token)."""
    sinks: Sinks | None = None
    """None reads sinks too."""
    read_first: bool = False
    """Read position 0 of the whole sequence, where there is no BOS and no prefix."""
    also: tuple[tuple[float, Unit], ...] = ()
    """Further units whose weighted values are added to the unit's at every position."""

    def __post_init__(self) -> None:
        if self.fluency < 0:
            raise ActmaxError(f"The fluency penalty is {self.fluency}; give a number from 0.")
        if self.max_nats is not None and not self.max_nats > 0:
            raise ActmaxError(f"The largest cross-entropy is {self.max_nats}; give a number above 0.")

    @property
    def sign(self) -> float:
        """1, or -1 where the activation is minimised."""
        return -1.0 if self.minimize else 1.0

    @property
    def wants_nats(self) -> bool:
        """Whether every score needs the cross-entropy."""
        return self.fluency > 0 or self.max_nats is not None

    @property
    def sites(self) -> frozenset[Site]:
        """What has to be read for an activation."""
        units = [self.unit, *(unit for _, unit in self.also)]
        return frozenset(unit.site for unit in units) | (
            frozenset() if self.sinks is None else frozenset({self.sinks.site})
        )

    def values(self, acts: dict[Site, Acts]) -> Float[Tensor, "batch pos"]:
        """The unit (with ``also``) at every position."""
        total = along(self.unit, acts[self.unit.site])
        for weight, unit in self.also:
            total = total + weight * along(unit, acts[unit.site])
        return total

    def readable(self, acts: dict[Site, Acts], past: int) -> Bool[Tensor, "batch pos"]:
        """Which positions may be read, after ``past`` others."""
        some = next(iter(acts.values()))
        mask = torch.ones(some.shape[:2], dtype=torch.bool, device=some.device)
        if self.sinks is not None:
            mask = ~self.sinks.mask(acts[self.sinks.site])
        if past == 0 and not self.read_first:
            mask[:, 0] = False
        return mask

    def reduce(self, values: Float[Tensor, "batch pos"], readable: Bool[Tensor, "batch pos"]) -> Scores:
        """One activation per sequence; NaN where nothing may be read."""
        if self.positions == "mean":
            total = torch.where(readable, values, 0).sum(dim=1)
            return total / torch.where(readable.any(dim=1), readable.sum(dim=1), torch.nan)
        if self.positions == "max":
            worst = -self.sign * torch.inf
            kept = torch.where(readable, values, worst)
            best: Tensor = kept.amin(dim=1) if self.minimize else kept.amax(dim=1)
            return torch.where(readable.any(dim=1), best, torch.nan)
        at = -1 if self.positions == "last" else int(self.positions)
        return torch.where(readable[:, at], values[:, at], torch.nan)

    def score(self, activation: Scores, nats: Scores | None) -> Scores:
        """What is maximised, in float64; minus infinity where nothing may be read."""
        score = self.sign * activation.double()
        if nats is not None:
            score = score - self.fluency * nats.double()
            if self.max_nats is not None:
                above = nats.double() - self.max_nats
                score = torch.where((above > 0) & score.isfinite(), -BEYOND - above, score)
        return torch.where(score.isnan(), -torch.inf, score)
