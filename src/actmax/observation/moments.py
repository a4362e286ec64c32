"""Count, mean, standard deviation, extremes and density of all units of a site, exact under any split.

Floating-point sums depend on their order, so shards that are merged in another order would give other bytes.
Here:

1. Within a window, sums of the values and of their squares are taken in one fixed order (float32, at most a
   window's positions long).
2. Each window's sum is taken over into a fixed-point number of two int64 limbs, ``whole + part / 2**48``,
   with the rest cut off. Integers add exactly, so any order and any grouping of windows gives the same bytes.
3. Mean and standard deviation are computed at the end, in float64, from the two totals.

Counts, minima and maxima are exact in any order by nature. The error that is left is float32's within a
window, about 1e-7 of the mean square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from actmax.errors import ActmaxError

_PART = 1 << 48


@dataclass
class Exact:
    """An exact sum for every unit: ``whole + part / 2**48`` with ``0 <= part < 2**48``."""

    whole: Int64[Tensor, " unit"]
    part: Int64[Tensor, " unit"]

    @classmethod
    def zero(cls, width: int, device: torch.device | str = "cpu") -> Self:
        """The sum of nothing."""
        return cls(*(torch.zeros(width, dtype=torch.int64, device=device) for _ in range(2)))

    def add(self, values: Float32[Tensor, "window unit"]) -> None:
        """Add some windows' sums, which are finite and below 2^62 in size (and fewer than 2^14 windows)."""
        wide = values.double()
        floor = wide.floor()
        self.whole += floor.long().sum(0)
        self.part += ((wide - floor) * _PART).long().sum(0)
        self._carry()

    def merge(self, other: Exact) -> None:
        """Add another sum."""
        self.whole += other.whole
        self.part += other.part
        self._carry()

    def value(self) -> Float64[Tensor, " unit"]:
        """The sum, rounded once."""
        return self.whole.double() + self.part.double() / _PART

    def _carry(self) -> None:
        self.whole += self.part >> 48
        self.part &= _PART - 1


@dataclass
class Moments:
    """Running statistics of the units of one site. ``update`` and ``merge`` change the object."""

    count: int
    sum: Exact
    squares: Exact
    positive: Int64[Tensor, " unit"]
    """The number of positions above zero."""
    min: Float32[Tensor, " unit"]
    max: Float32[Tensor, " unit"]

    @classmethod
    def empty(cls, width: int, device: torch.device | str = "cpu") -> Self:
        """The statistics before the first position."""
        return cls(
            0,
            Exact.zero(width, device),
            Exact.zero(width, device),
            torch.zeros(width, dtype=torch.int64, device=device),
            torch.full((width,), torch.inf, device=device),
            torch.full((width,), -torch.inf, device=device),
        )

    def update(
        self,
        count: int,
        sums: Float32[Tensor, "window unit"],
        squares: Float32[Tensor, "window unit"],
        positive: Float32[Tensor, "window unit"],
        low: Float32[Tensor, "window unit"],
        high: Float32[Tensor, "window unit"],
    ) -> Self:
        """Take in some windows: each one's sums, sums of squares, positions above zero, minima and maxima.

        Raises:
            ActmaxError: an activation is not finite.
        """
        if not bool(torch.isfinite(squares.sum())):
            raise ActmaxError(
                "The model gives activations that are not finite, or too large to square, on this corpus; use"
                " --dtype float32."
            )
        self.count += count
        self.sum.add(sums)
        self.squares.add(squares)
        self.positive += positive.sum(0).long()
        torch.minimum(self.min, low.amin(0), out=self.min)
        torch.maximum(self.max, high.amax(0), out=self.max)
        return self

    def merge(self, other: Self) -> Self:
        """Take in the statistics of other windows."""
        self.count += other.count
        self.sum.merge(other.sum)
        self.squares.merge(other.squares)
        self.positive += other.positive
        torch.minimum(self.min, other.min, out=self.min)
        torch.maximum(self.max, other.max, out=self.max)
        return self

    def mean(self) -> Float64[Tensor, " unit"]:
        """The mean; NaN where nothing was seen."""
        return self.sum.value() / (self.count or torch.nan)

    def std(self) -> Float64[Tensor, " unit"]:
        """The standard deviation (dividing by n); NaN where nothing was seen."""
        mean = self.mean()
        return (self.squares.value() / (self.count or torch.nan) - mean * mean).clamp_min(0).sqrt()

    def density(self) -> Float64[Tensor, " unit"]:
        """The share of positions above zero; NaN where nothing was seen."""
        return self.positive.double() / (self.count or torch.nan)
