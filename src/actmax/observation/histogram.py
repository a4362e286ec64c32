"""A histogram for every unit whose bins are known before the first value: signed, four bins per octave.

Bin edges are powers of two and the quarters between them, from 2**-10 to 2**14, on both sides of zero, with
one bin around zero; what lies beyond goes into the outermost bins. A float32's bin can be read from its
bits: sign, exponent and the first two bits of the mantissa. Counts are integers, so merging is exact.

Counting every position of every unit is the costliest statistic there is, so an atlas counts one position in
32, chosen by a hash of the corpus position: the same for all units and however the corpus is split.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int32, Int64
from torch import Tensor

_LOW, _HIGH = -10, 14
_EACH = 4
"""Bins per octave."""
_SIDE = (_HIGH - _LOW) * _EACH
BINS = 2 * _SIDE + 1
_FIRST = (_LOW + 127) * _EACH
"""What the bits of the smallest value that is no longer in the bin around zero give."""


@cache
def edges() -> tuple[float, ...]:
    """The ``BINS + 1`` edges, from -2**14 to 2**14; a bin on the right of zero holds its lower edge."""
    right = [2.0**octave * (1 + quarter / _EACH) for octave in range(_LOW, _HIGH) for quarter in range(_EACH)]
    right.append(2.0**_HIGH)
    return (*(-edge for edge in reversed(right)), *right)


def bins_of(values: Float32[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
    """The bin of each value."""
    bits = values.contiguous().view(torch.int32)
    size = ((bits & 0x7FFFFFFF) >> 21).sub_(_FIRST - 1).clamp_(0, _SIDE)
    sign = bits >> 31  # -1 or 0: with it, negation is two plain passes
    return size.bitwise_xor_(sign).sub_(sign).add_(_SIDE)


@dataclass
class Histogram:
    """Counts for the units of one site. ``update`` and ``merge`` change the object."""

    counts: Int32[Tensor, "unit bin"]

    @classmethod
    def empty(cls, width: int, device: torch.device | str = "cpu") -> Self:
        """The counts before the first value."""
        return cls(torch.zeros(width, BINS, dtype=torch.int32, device=device))

    def update(self, values: Float32[Tensor, "n unit"]) -> Self:
        """Count some values of every unit."""
        if len(values):
            # Unit by unit: rows of counts are disjoint, so all threads count.
            cells = bins_of(values).t().contiguous().long()
            one = torch.ones((), dtype=torch.int32, device=values.device)
            self.counts.scatter_add_(1, cells, one.expand(cells.shape))
        return self

    def merge(self, other: Self) -> Self:
        """Take in the counts of another one."""
        self.counts += other.counts
        return self

    def quantiles(
        self, wanted: tuple[float, ...], low: Float64[Tensor, " unit"], high: Float64[Tensor, " unit"]
    ) -> Float64[np.ndarray, "unit quantile"]:
        """Estimated quantiles: linear within a bin, and never beyond the known minimum and maximum.

        NaN where nothing was counted. An estimate is off by less than the width of its bin (a quarter of the
        value or less), plus the sampling error of the counted positions.
        """
        counts: Int64[np.ndarray, "unit bin"] = self.counts.cpu().numpy().astype(np.int64)
        until = counts.cumsum(1)
        border = np.array(edges())
        units = np.arange(len(counts))
        bottom, top = low.cpu().numpy(), high.cpu().numpy()
        found = np.full((len(counts), len(wanted)), np.nan)
        for k, quantile in enumerate(wanted):
            target = quantile * until[:, -1]
            at = np.minimum((until < target[:, None]).sum(1), BINS - 1)
            inside = np.maximum(counts[units, at], 1)
            share = (target - (until[units, at] - counts[units, at])) / inside
            begin, end = np.maximum(border[at], bottom), np.minimum(border[at + 1], top)
            value = np.clip(begin + np.clip(share, 0, 1) * (end - begin), bottom, top)
            found[:, k] = np.where(until[:, -1] > 0, value, np.nan)
        return found
