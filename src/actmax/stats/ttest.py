"""Welch's t-test, Student's and the paired t-test, for all units at once: scipy's, made safe for activations.

scipy's tests run on chunks of units. Before them every unit is shifted to its value in the first sample and
scaled by a power of two, both exact for float32, so that neither a large offset nor a tiny scale costs
digits. Where a unit has no spread within the groups, its values are replaced by their signs, whose variance
is exactly 0 where that of 0.1 + 0.1 + … is not. All p-values are two-sided.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_1samp, ttest_ind

from actmax.errors import ActmaxError
from actmax.stats.samples import Chunk, Flags, Labels, PerUnit, Values, chunks, first_group_first, group_sizes


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
    constant: Flags


def welch(values: Values, labels: Labels) -> TTest:
    """Welch's (1947) test of the means of two groups whose variances are free to differ.

    ``labels`` is True for the first group; a positive ``t`` means that the first group is higher. Raises
    :class:`ActmaxError` where a group has fewer than two samples or an activation is not finite.
    """
    return _unpaired(values, labels, equal_variances=False)


def student(values: Values, labels: Labels) -> TTest:
    """Student's test, as :func:`welch`, with one variance for both groups."""
    return _unpaired(values, labels, equal_variances=True)


def paired(first: Values, second: Values) -> TTest:
    """The test that the differences between matched samples (row i of both) average zero.

    A positive ``t`` means that ``first`` is higher. ``constant`` marks the units whose differences are all
    zero. Raises :class:`ActmaxError` where there are fewer than two pairs or an activation is not finite.
    """
    check_pairs(first, second)
    out = np.empty((3, first.shape[1]))
    for (where, a), (_, b) in zip(chunks(first), chunks(second), strict=True):
        change = a - b
        flat = np.ptp(change, axis=0) == 0
        with _quiet():
            test = ttest_1samp(np.where(flat, np.sign(change), change), 0.0, axis=0)
        out[:, where] = test.statistic, test.df, test.pvalue
    return _marked(*out)


def check_pairs(first: Values, second: Values) -> None:
    """Raises :class:`ActmaxError` unless both hold the same units and at least two matched samples."""
    if first.shape != second.shape or first.ndim != 2:
        raise ActmaxError(
            f"paired samples need arrays of one shape, and these have {first.shape} and {second.shape}; "
            "row i of both must be the same item"
        )
    if len(first) < 2:
        raise ActmaxError(f"a paired test needs at least 2 pairs and there is {len(first)}; add pairs")


def _unpaired(values: Values, labels: Labels, *, equal_variances: bool) -> TTest:
    n1, _ = group_sizes(values, labels)
    out = np.empty((3, values.shape[1]))
    for where, chunk in chunks(values, first_group_first(labels)):
        chunk = _standard(chunk)
        flat = (np.ptp(chunk[:n1], axis=0) == 0) & (np.ptp(chunk[n1:], axis=0) == 0)
        chunk[:, flat] = np.sign(chunk[:, flat])
        with _quiet():
            test = ttest_ind(chunk[:n1], chunk[n1:], axis=0, equal_var=equal_variances)
        out[:, where] = test.statistic, test.df, test.pvalue
    return _marked(*out)


def _standard(chunk: Chunk) -> Chunk:
    """Every unit (column) as its distance from the first sample, scaled to a size near 1, in place."""
    chunk -= chunk[0].copy()
    size = np.frexp(np.abs(chunk).max(axis=0))[1]
    return np.asarray(np.ldexp(chunk, -size, out=chunk))


def _marked(t: PerUnit, df: PerUnit, p: PerUnit) -> TTest:
    constant = np.isnan(t)
    return TTest(t, np.where(constant, np.nan, df), p, constant)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without scipy's warnings about units of little or no spread."""
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        yield
