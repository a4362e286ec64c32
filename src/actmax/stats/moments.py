"""Mean and variance of each of the two groups, without a large offset costing digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actmax.stats.samples import Chunk, Flags, PerUnit


@dataclass(frozen=True)
class Moments:
    """What a t-test needs of one group."""

    n: int
    mean: PerUnit
    variance: PerUnit
    """Unbiased (divided by n - 1); exactly 0 where all samples are equal."""
    low: PerUnit
    """The smallest value."""
    high: PerUnit
    """The largest value."""


def moments(chunk: Chunk) -> Moments:
    """Mean, variance and range of every column of ``chunk`` (float64, at least one row).

    The variance sums squared distances from the mean, minus the square of their own sum over n (the
    corrected two-pass formula: Chan, Golub & LeVeque 1983).
    """
    n = len(chunk)
    low, high = chunk.min(axis=0), chunk.max(axis=0)
    flat = low == high
    mean = np.where(flat, low, chunk.mean(axis=0))
    distance = chunk - mean
    square = np.einsum("su,su->u", distance, distance) - distance.sum(axis=0) ** 2 / n
    return Moments(n, mean, np.where(flat, 0.0, square / max(n - 1, 1)), low, high)


def from_first_sample(chunk: Chunk) -> Chunk:
    """Every unit (column) as the distance from its value in the first sample, in place.

    For float32 activations of one size this is exact, so that means far from zero lose nothing to rounding.
    """
    chunk -= chunk[0].copy()
    return chunk


def group_moments(chunk: Chunk, n1: int) -> tuple[Moments, Moments]:
    """The moments of the first ``n1`` samples and of the others."""
    return moments(chunk[:n1]), moments(chunk[n1:])


def constant(first: Moments, second: Moments) -> Flags:
    """True where a unit has one and the same value in every sample of both groups."""
    return np.asarray(
        (first.low == first.high) & (second.low == second.high) & (first.low == second.low), dtype=bool
    )
