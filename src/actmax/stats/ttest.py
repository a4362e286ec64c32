"""Welch's t-test and the paired t-test, for all units at once.

Welch (1947): ``t = (m1 - m2) / sqrt(v1/n1 + v2/n2)``, with the degrees of freedom of Welch and Satterthwaite.
Paired: the one-sample t-test of the differences. Both p-values are two-sided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from actmax.errors import ActmaxError
from actmax.stats.moments import constant, from_first_sample, group_moments, moments
from actmax.stats.samples import Flags, Labels, PerUnit, Values, chunks, first_group_first, group_sizes


@dataclass(frozen=True)
class TTest:
    """A t-test of every unit.

    A unit that has one value in all samples cannot be tested: it is marked ``constant`` and its ``t``, ``df``
    and ``p`` are NaN. A unit that is constant *within* both groups at different values has an infinite ``t``
    and ``p = 0``, as in scipy; with few samples or few distinct values, believe the ranks instead.
    """

    t: PerUnit
    df: PerUnit
    p: PerUnit
    difference: PerUnit
    """Mean of the first group minus mean of the second, in units of the activation."""
    standard_error: PerUnit
    constant: Flags


def welch(values: Values, labels: Labels) -> TTest:
    """Do the two groups differ in mean, their variances being free to differ?

    ``labels`` is True for the first group; a positive ``t`` means that the first group is higher. Raises
    :class:`ActmaxError` where a group has fewer than two samples or an activation is not finite.
    """
    n1, n2 = group_sizes(values, labels)
    out = np.empty((4, values.shape[1]))
    flat = np.empty(values.shape[1], dtype=bool)
    for where, chunk in chunks(values, first_group_first(labels)):
        first, second = group_moments(from_first_sample(chunk), n1)
        flat[where] = constant(first, second)
        a, b = first.variance / n1, second.variance / n2
        with np.errstate(divide="ignore", invalid="ignore"):
            share = a / (a + b)
            df = 1 / (share**2 / (n1 - 1) + (1 - share) ** 2 / (n2 - 1))
        out[:, where] = first.mean - second.mean, np.sqrt(a + b), df, a + b
    difference, error, df, variance = out
    df = np.where((variance == 0) & ~flat, 1.0, df)
    return _test(difference, error, df, flat)


def paired(first: Values, second: Values) -> TTest:
    """Do the differences between matched samples (row i of both) average zero?

    A positive ``t`` means that ``first`` is higher. ``constant`` marks the units whose differences are all
    zero. Raises :class:`ActmaxError` where there are fewer than two pairs or an activation is not finite.
    """
    check_pairs(first, second)
    n, units = first.shape
    difference, error = np.empty(units), np.empty(units)
    flat = np.empty(units, dtype=bool)
    for (where, a), (_, b) in zip(chunks(first), chunks(second), strict=True):
        change = moments(a - b)
        difference[where], error[where] = change.mean, np.sqrt(change.variance / n)
        flat[where] = (change.low == 0) & (change.high == 0)
    return _test(difference, error, np.where(flat, np.nan, n - 1.0), flat)


def check_pairs(first: Values, second: Values) -> None:
    """Raises :class:`ActmaxError` unless both hold the same units and at least two matched samples."""
    if first.shape != second.shape or first.ndim != 2:
        raise ActmaxError(
            f"paired samples need arrays of one shape, and these have {first.shape} and {second.shape}; "
            "row i of both must be the same item"
        )
    if len(first) < 2:
        raise ActmaxError(f"a paired test needs at least 2 pairs and there is {len(first)}; add pairs")


def _test(difference: PerUnit, error: PerUnit, df: PerUnit, flat: Flags) -> TTest:
    with np.errstate(divide="ignore", invalid="ignore"):
        t = difference / error
    p = two_sided(t, df)
    return TTest(t, df, p, difference, error, flat)


def two_sided(t: PerUnit, df: PerUnit | int) -> PerUnit:
    """The two-sided p-value of Student's t (NaN stays NaN)."""
    return np.asarray(2 * stdtr(df, -np.abs(t)), dtype=np.float64)
