"""Mann-Whitney U and the area under the ROC curve, for all units at once, with ties.

``U`` counts the pairs (one sample of each group) in which the first group is higher, ties as half;
``AUC = U / (n1 n2)`` is the chance that it is. The p-value is two-sided: from the normal approximation with
the correction for ties and for continuity (Mann & Whitney 1947), or, where a group has at most 8 samples and
the unit has no ties, from the exact distribution of U, which is the same for all units and computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtr

from actmax.stats.samples import Flags, Labels, PerUnit, Values, chunks, group_sizes

EXACT_UP_TO = 8
"""The exact distribution is used where the smaller group has at most this many samples (as in scipy)."""


@dataclass(frozen=True)
class MannWhitney:
    """The rank test of every unit; ``p`` is 1 and ``auc`` one half for a unit that is ``constant``."""

    u: PerUnit
    auc: PerUnit
    """``u / (n1 n2)``: 1 where every sample of the first group is above every one of the second."""
    p: PerUnit
    constant: Flags


def mann_whitney(values: Values, labels: Labels) -> MannWhitney:
    """Does one group tend to be higher than the other? Needs no normal distribution and ignores scale.

    ``labels`` is True for the first group. Raises :class:`ActmaxError` where a group has fewer than two
    samples or an activation is not finite.
    """
    n1, n2 = group_sizes(values, labels)
    u, ties = np.empty(values.shape[1]), np.empty(values.shape[1])
    for where, chunk in chunks(values):
        order = _sorted_keys if values.dtype in (np.float32, np.float16) else _sorted_pairs
        new, first = order(chunk, labels)
        ranksum, ties[where] = _rank_sums(new, first)
        u[where] = ranksum - n1 * (n1 + 1) / 2
    flat = ties == _tie_term(n1 + n2)
    return MannWhitney(u, u / (n1 * n2), _p_value(u, ties, n1, n2), flat)


def midranks(rows: Float[np.ndarray, "chunk samples"]) -> Float[np.ndarray, "chunk samples"]:
    """Ranks from 1 within every row, ties sharing the mean of their places."""
    order = np.argsort(rows, axis=1)
    new = _run_starts(np.take_along_axis(rows, order, axis=1))
    starts, lengths = _runs(new)
    middle = starts % rows.shape[1] + (lengths + 1) / 2
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, np.repeat(middle, lengths).reshape(rows.shape), axis=1)
    return ranks


Marks = Bool[np.ndarray, "chunk samples"]


def _sorted_keys(chunk: Float[np.ndarray, "samples chunk"], labels: Labels) -> tuple[Marks, Marks]:
    """Sorts each unit; where a run of equal values begins, and which sorted samples are of the first group.

    A float32 and its label fit into one integer of the same order, and integers sort several times faster
    than an argsort and its gather.
    """
    bits = (chunk.T.astype(np.float32) + np.float32(0)).view(np.int32)  # + 0 makes -0.0 equal to 0.0
    keys = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
    keys <<= 1
    keys |= labels
    keys.sort(axis=1)
    first = (keys & 1).astype(bool)
    keys >>= 1
    return _run_starts(keys), first


def _sorted_pairs(chunk: Float[np.ndarray, "samples chunk"], labels: Labels) -> tuple[Marks, Marks]:
    """As :func:`_sorted_keys`, for float64."""
    rows = np.ascontiguousarray(chunk.T)
    order = np.argsort(rows, axis=1)
    return _run_starts(np.take_along_axis(rows, order, axis=1)), labels[order]


def _run_starts(ordered: Any) -> Marks:
    new = np.ones(ordered.shape, dtype=bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=new[:, 1:])
    return new


def _runs(new: Marks) -> tuple[Int[np.ndarray, " runs"], Int[np.ndarray, " runs"]]:
    """Start (in the flattened rows) and length of every run of equal values."""
    starts = np.flatnonzero(new)
    return starts, np.diff(starts, append=new.size)


def _rank_sums(new: Marks, first: Marks) -> tuple[PerUnit, PerUnit]:
    """For each row the sum of the first group's midranks, and the tie term: the sum of t^3 - t over runs."""
    units, samples = new.shape
    ranksum = first.astype(np.float64) @ np.arange(1.0, samples + 1)
    ties = np.zeros(units)
    tied = np.flatnonzero(np.count_nonzero(new, axis=1) < samples)
    if len(tied):
        new, first = new[tied], first[tied]
        starts, lengths = _runs(new)
        members = np.add.reduceat(first.ravel(), starts, dtype=np.float64)
        middle = starts % samples + (lengths + 1) / 2
        row_starts = np.searchsorted(starts, np.arange(len(tied)) * samples)
        ranksum[tied] = np.add.reduceat(members * middle, row_starts)
        ties[tied] = np.add.reduceat(_tie_term(lengths), row_starts)
    return ranksum, ties


def _tie_term(lengths: Any) -> Any:
    count = np.asarray(lengths, dtype=np.float64)
    return count**3 - count


def _p_value(u: PerUnit, ties: PerUnit, n1: int, n2: int) -> PerUnit:
    n = n1 + n2
    larger = np.maximum(u, n1 * n2 - u)
    deviation = np.sqrt(n1 * n2 / 12 * ((n + 1) - ties / (n * (n - 1))))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (larger - n1 * n2 / 2 - 0.5) / deviation
    p = 2 * ndtr(-z)
    p = np.where(ties == _tie_term(n), 1.0, p)
    if min(n1, n2) <= EXACT_UP_TO:
        untied = ties == 0
        p[untied] = 2 * exact_tail(n1, n2)[larger[untied].astype(np.int64)]
    return np.asarray(np.clip(p, 0.0, 1.0))


def exact_tail(n1: int, n2: int) -> Float[np.ndarray, " statistics"]:
    """``P(U >= u)`` for ``u = 0 ... n1 n2`` when the groups do not differ and no values are tied.

    The number of orderings with each U are the coefficients of the Gaussian binomial
    ``prod_i (1 - q^(m+i)) / (1 - q^i)``, here in exact integers.
    """
    small, large = min(n1, n2), max(n1, n2)
    ways = np.zeros(n1 * n2 + 1, dtype=object)
    ways[0] = 1
    for i in range(1, small + 1):
        factor = large + i
        if factor < len(ways):
            ways[factor:] = ways[factor:] - ways[:-factor]
        for offset in range(min(i, len(ways))):
            ways[offset::i] = np.cumsum(ways[offset::i])
    tail = np.cumsum(ways[::-1])[::-1]
    total = comb(n1 + n2, small)
    return np.array([count / total for count in tail], dtype=np.float64)
