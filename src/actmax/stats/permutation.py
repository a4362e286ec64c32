"""What the best of many units would show by chance: a permutation null of the largest statistic.

Westfall & Young (1993), single step:

1. shuffle the labels over the samples, all units together, so that what units share stays shared;
2. compute Welch's ``t`` of every unit and keep the largest ``|t|``;
3. repeat; the corrected p-value of a unit is the share of shuffles (the true labels counted as one) whose
   largest ``|t|`` reaches its own.

It holds the chance of *any* false discovery at the level, whatever the distribution of the activations and
however they depend on each other, where Bonferroni is too strict for units that move together. A block of
shuffles is one matrix product per chunk of units, so neither time nor memory knows a loop over units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr

from actmax.errors import ActmaxError
from actmax.stats.samples import Chunk, Labellings, Labels, PerUnit, Values, chunks, group_sizes
from actmax.stats.ttest import check_pairs

BLOCK = 256
"""Shuffles drawn, and multiplied, at a time."""

CHUNK_VALUES = 2**19
"""Activations in one chunk: larger than elsewhere, for the sake of the matrix products."""

SAME = 1e-9
"""Statistics this close relatively count as equal: a shuffle may repeat the true grouping."""

Draws: TypeAlias = Float[np.ndarray, "shuffles samples"]


@dataclass(frozen=True)
class PermutationNull:
    """The statistic of every unit beside what shuffled labels give."""

    t: PerUnit
    """Welch's t (or the paired t) under the true labels; 0 for a constant unit."""
    p: PerUnit
    """Two-sided p-value of the unit by itself, uncorrected."""
    p_family: PerUnit
    """Corrected for all units: the chance that the best unit of a shuffle does as well."""
    null_max: Float[np.ndarray, " permutations"]
    """The largest ``|t|`` over units in each shuffle."""

    def threshold(self, alpha: float = 0.05) -> float:
        """The ``|t|`` above which ``p_family`` is at most ``alpha``; infinite where shuffles are too few."""
        may_exceed = int(np.floor(alpha * (len(self.null_max) + 1) * (1 + SAME))) - 1
        if may_exceed < 0:
            return float("inf")
        if may_exceed >= len(self.null_max):
            return 0.0
        return float(np.sort(self.null_max)[::-1][may_exceed] * (1 + 2 * SAME))


def max_statistic(
    values: Values,
    labels: Labels,
    rng: np.random.Generator,
    permutations: int = 1000,
) -> PermutationNull:
    """Shuffles the labels ``permutations`` times and compares; all samples must be exchangeable.

    Raises :class:`ActmaxError` where a group has fewer than two samples or an activation is not finite.
    """
    n1, _ = group_sizes(values, labels)

    def draws(count: int) -> Draws:
        return shuffled(labels, rng, count).astype(np.float64)

    true = labels[None].astype(np.float64)
    return _compare(
        lambda: chunks(values, None, CHUNK_VALUES), true, draws, permutations, lambda x, m: _welch(x, m, n1)
    )


def max_statistic_paired(
    first: Values, second: Values, rng: np.random.Generator, permutations: int = 1000
) -> PermutationNull:
    """The same for matched samples: the members of random pairs are exchanged (signs flipped)."""
    check_pairs(first, second)

    def draws(count: int) -> Draws:
        return rng.integers(0, 2, (count, len(first))) * 2.0 - 1

    return _compare(
        lambda: _differences(first, second), np.ones((1, len(first))), draws, permutations, _paired
    )


def shuffled(labels: Labels, rng: np.random.Generator, count: int) -> Labellings:
    """``count`` shuffles of the labels, one per row."""
    return rng.permuted(np.tile(labels, (count, 1)), axis=1)


def welch_p(values: Values, labellings: Labellings) -> Float[np.ndarray, "labellings units"]:
    """Welch's two-sided p-value of every unit under each labelling (a row); NaN for a constant unit."""
    n1, n2 = group_sizes(values, labellings[0])
    p = np.empty((len(labellings), values.shape[1]))
    for where, chunk in chunks(values, None, CHUNK_VALUES):
        difference, first, second = _gaps(chunk, labellings.astype(np.float64), n1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = first / (first + second)
            df = 1 / (share**2 / (n1 - 1) + (1 - share) ** 2 / (n2 - 1))
        t = _ratio(difference, first + second)
        found = 2 * stdtr(np.where(np.isnan(df), 1.0, df), -np.abs(t))
        p[:, where] = np.where(np.ptp(chunk, axis=0) == 0, np.nan, found)
    return p


def paired_p(
    first: Values, second: Values, signs: Float[np.ndarray, "shuffles pairs"]
) -> Float[np.ndarray, "shuffles units"]:
    """The paired test's two-sided p-value of every unit, its differences taking each row of signs (-1, 1)."""
    check_pairs(first, second)
    p = np.empty((len(signs), first.shape[1]))
    for where, change in _differences(first, second):
        found = 2 * stdtr(len(first) - 1, -np.abs(_paired(change, signs)))
        p[:, where] = np.where((change == 0).all(axis=0), np.nan, found)
    return p


def _differences(first: Values, second: Values) -> Iterator[tuple[slice, Chunk]]:
    both = zip(chunks(first, None, CHUNK_VALUES), chunks(second, None, CHUNK_VALUES), strict=True)
    return ((where, a - b) for (where, a), (_, b) in both)


def _compare(
    walk: Callable[[], Iterator[tuple[slice, Chunk]]],
    true: Draws,
    draws: Callable[[int], Draws],
    permutations: int,
    statistic: Callable[[Chunk, Draws], Float[np.ndarray, "shuffles chunk"]],
) -> PermutationNull:
    if permutations < 1:
        raise ActmaxError(f"{permutations} permutations cannot form a null; ask for 1000 or more")
    t = np.concatenate([np.empty(0), *(statistic(chunk, true)[0] for _, chunk in walk())])
    reach = np.abs(t) * (1 - SAME)
    count = np.ones(len(t))
    null_max = np.zeros(permutations)
    for start in range(0, permutations, BLOCK):
        here = slice(start, min(start + BLOCK, permutations))
        shuffles = draws(here.stop - here.start)
        for where, chunk in walk():
            size = np.abs(statistic(chunk, shuffles))
            count[where] += np.count_nonzero(size >= reach[where], axis=0)
            np.maximum(null_max[here], size.max(axis=1, initial=0.0), out=null_max[here])
    above = permutations - np.searchsorted(np.sort(null_max), reach, side="left")
    return PermutationNull(t, count / (permutations + 1), (1 + above) / (permutations + 1), null_max)


def _welch(chunk: Chunk, members: Draws, n1: int) -> Float[np.ndarray, "shuffles chunk"]:
    """Welch's t of every unit (column) under every shuffle (row of 0 and 1)."""
    difference, first, second = _gaps(chunk, members, n1)
    first += second
    return _ratio(difference, first)


def _gaps(
    chunk: Chunk, members: Draws, n1: int
) -> tuple[
    Float[np.ndarray, "shuffles chunk"],
    Float[np.ndarray, "shuffles chunk"],
    Float[np.ndarray, "shuffles chunk"],
]:
    """The difference of the groups' means, and the squared standard error of each, on a common scale."""
    n2 = len(chunk) - n1
    x = _scaled(chunk - chunk.mean(axis=0))
    squares = x * x
    mean1, square1 = members @ x / n1, members @ squares
    mean2 = (x.sum(axis=0) - n1 * mean1) / n2
    first = _variance(square1, mean1, n1) / n1
    return mean1 - mean2, first, _variance(squares.sum(axis=0) - square1, mean2, n2) / n2


def _paired(chunk: Chunk, signs: Draws) -> Float[np.ndarray, "shuffles chunk"]:
    """The one-sample t of every unit (column) under every choice of signs (row)."""
    n = len(chunk)
    x = _scaled(chunk)
    mean = signs @ x / n
    return _ratio(mean, _variance((x * x).sum(axis=0), mean, n) / n)


def _scaled(x: Chunk) -> Chunk:
    """Divided by the root mean square, so that one tolerance serves all units."""
    size = np.sqrt((x * x).mean(axis=0))
    return x / np.where(size > 0, size, 1.0)


def _variance(
    squares: Float[np.ndarray, "..."], mean: Float[np.ndarray, "shuffles chunk"], n: int
) -> Float[np.ndarray, "shuffles chunk"]:
    variance = (squares - n * mean * mean) / (n - 1)
    # The values are of size one, so that what cancellation leaves of a variance of zero is below 1e-12.
    return np.asarray(np.where(variance > 1e-12, variance, 0.0))


def _ratio(
    difference: Float[np.ndarray, "shuffles chunk"], variance: Float[np.ndarray, "shuffles chunk"]
) -> Float[np.ndarray, "shuffles chunk"]:
    difference = np.where(np.abs(difference) > 1e-12, difference, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = difference / np.sqrt(variance)
    return np.asarray(np.where(difference == 0, 0.0, t))
