"""Cohen's d with an exact confidence interval.

``d`` is the difference of means over the pooled standard deviation. Its interval inverts the noncentral t
distribution (Steiger & Fouladi 1997): if both groups are normal with one variance, then
``t = d / sqrt(1/n1 + 1/n2)`` is noncentral t with noncentrality ``delta / sqrt(1/n1 + 1/n2)``, and the ends
are the two effects ``delta`` under which the ``t`` seen is the 97.5th and the 2.5th percentile. Unlike the
usual large-sample interval it holds its level for small groups and large effects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from actmax.errors import ActmaxError
from actmax.stats.moments import from_first_sample, group_moments
from actmax.stats.samples import Labels, PerUnit, Values, chunks, first_group_first, group_sizes
from actmax.stats.ttest import paired

FAR = 1000.0
"""Beyond this t the noncentral t distribution is approximated by its limit."""


@dataclass(frozen=True)
class Effect:
    """Standardised differences of all units: NaN for a constant unit, infinite where no group has spread."""

    d: PerUnit
    low: PerUnit
    """Lower end of the confidence interval of ``d``."""
    high: PerUnit
    """Upper end of the confidence interval of ``d``."""
    hedges_g: PerUnit
    """``d`` without its upward bias in small samples (Hedges 1981, the exact gamma-function factor)."""
    level: float
    """The confidence level of the interval."""


def cohens_d(values: Values, labels: Labels, level: float = 0.95) -> Effect:
    """How many pooled standard deviations the first group lies above the second.

    Raises :class:`ActmaxError` where a group has fewer than two samples or an activation is not finite.
    """
    n1, n2 = group_sizes(values, labels)
    d = np.empty(values.shape[1])
    for where, chunk in chunks(values, first_group_first(labels)):
        first, second = group_moments(from_first_sample(chunk), n1)
        pooled = ((n1 - 1) * first.variance + (n2 - 1) * second.variance) / (n1 + n2 - 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            d[where] = (first.mean - second.mean) / np.sqrt(pooled)
    return _effect(d, float(np.sqrt(1 / n1 + 1 / n2)), n1 + n2 - 2, level)


def cohens_d_paired(first: Values, second: Values, level: float = 0.95) -> Effect:
    """The mean difference of matched samples over the standard deviation of the differences (``d_z``)."""
    test = paired(first, second)
    n = len(first)
    return _effect(test.t / np.sqrt(n), float(np.sqrt(1 / n)), n - 1, level)


def _effect(d: PerUnit, scale: float, df: int, level: float) -> Effect:
    if not 0 < level < 1:
        raise ActmaxError(f"the confidence level is {level}; give a number between 0 and 1, such as 0.95")
    tail = (1 - level) / 2
    low = noncentrality(d / scale, df, 1 - tail) * scale
    high = noncentrality(d / scale, df, tail) * scale
    shrink = (
        np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2) if df > 1 else 0.0
    )
    with np.errstate(invalid="ignore"):
        return Effect(d, low, high, d * shrink, level)


def noncentrality(t: PerUnit, df: int, quantile: float, tolerance: float = 1e-10) -> PerUnit:
    """The noncentrality under which ``t`` is the given quantile of the noncentral t distribution.

    Secant steps on the normal score of the distribution function, which is nearly a straight line in the
    noncentrality: about five evaluations for all units. NaN where ``t`` is not finite.
    """
    # F(t; delta) = 1 - F(-t; -delta), so the search runs on |t|, where the series is accurate.
    size = np.abs(t)
    with np.errstate(invalid="ignore"):
        score = special.ndtri(quantile) * np.where(t < 0, -1.0, 1.0)
        spread = np.hypot(1, size / np.sqrt(2 * df))
    usable = size <= FAR
    result = np.full(t.shape, np.nan)
    # Far out the chi-squared rules, and the normal only widens it a little about its middle; the series would
    # take time in proportion to t.
    far = np.isfinite(size) & ~usable
    middle, end = (np.sqrt(special.chdtri(df, q) / df) for q in (0.5, special.ndtr(score[far])))
    result[far] = size[far] * (middle + (end - middle) * np.hypot(1, np.sqrt(2 * df) / size[far]))

    def miss(delta: PerUnit) -> PerUnit:
        reached = special.nctdtr(df, delta, size[usable])
        # Beyond what float64 tells from 0 or 1, the secant steps must still see a number.
        return np.asarray(special.ndtri(np.clip(reached, 1e-300, 1 - 1e-16)) - score[usable])

    before = size[usable] - score[usable] * spread[usable]
    miss_before = miss(before)
    # Where the start is too far out for the series, the centre is not.
    lost = np.isnan(miss_before)
    before[lost] = size[usable][lost]
    miss_before = np.where(lost, miss(before), miss_before)
    delta = before + miss_before * spread[usable]
    for _ in range(60):
        miss_now = miss(delta)
        lost = np.isnan(miss_now)
        slope = (miss_now - miss_before) / np.where(delta == before, 1.0, delta - before)
        falls = slope < 0
        step = np.where(falls, -miss_now / np.where(falls, slope, -1.0), miss_now * spread[usable])
        step = np.where(np.abs(miss_now) < tolerance, 0.0, step)
        step[lost] = (before - delta)[lost] / 2
        if (np.abs(step) <= tolerance * (1 + np.abs(delta))).all():
            delta += step
            break
        before, miss_before = np.where(lost, before, delta), np.where(lost, miss_before, miss_now)
        delta = delta + step
    result[usable] = delta
    return np.where(t < 0, -result, result)
