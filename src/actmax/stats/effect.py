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
from scipy.optimize import elementwise
from scipy.special import chdtri, nctdtr, ndtr, ndtri

from actmax.errors import ActmaxError
from actmax.stats.samples import Labels, PerUnit, Values
from actmax.stats.ttest import paired, student

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
    level: float
    """The confidence level of the interval."""


def cohens_d(values: Values, labels: Labels, level: float = 0.95) -> Effect:
    """How many pooled standard deviations the first group lies above the second.

    Raises :class:`ActmaxError` where a group has fewer than two samples or an activation is not finite.
    """
    test, n1 = student(values, labels), int(np.count_nonzero(labels))
    scale = float(np.sqrt(1 / n1 + 1 / (len(labels) - n1)))
    return _effect(test.t * scale, scale, len(labels) - 2, level)


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
    return Effect(d, low, high, level)


def noncentrality(t: PerUnit, df: int, quantile: float) -> PerUnit:
    """The noncentrality under which ``t`` is the given quantile of the noncentral t distribution.

    The root of the normal score of the distribution function, which is nearly a straight line in the
    noncentrality, so that about ten evaluations settle all units. (``scipy.special.nctdtrinc`` is not used:
    in scipy 1.17 it is off by up to 0.6.) NaN where ``t`` is not finite.
    """
    # F(t; delta) = 1 - F(-t; -delta), so the search runs on |t|, where the series is accurate.
    size = np.abs(t)
    with np.errstate(invalid="ignore"):
        score = ndtri(quantile) * np.where(t < 0, -1.0, 1.0)
    near, far = size <= FAR, np.isfinite(size) & (size > FAR)
    result = np.full(t.shape, np.nan)
    # Far out the chi-squared rules, and the normal only widens it a little about its middle; the series would
    # take time in proportion to t.
    middle, end = (np.sqrt(chdtri(df, q) / df) for q in (0.5, ndtr(score[far])))
    result[far] = size[far] * (middle + (end - middle) * np.hypot(1, np.sqrt(2 * df) / size[far]))

    def miss(delta: PerUnit, size: PerUnit, score: PerUnit) -> PerUnit:
        reached = nctdtr(df, delta, size)
        # Where the series gives up, and beyond what float64 tells from 0 or 1, the search needs a number.
        reached = np.clip(np.where(np.isnan(reached), delta < size, reached), 1e-300, 1 - 1e-16)
        return np.asarray(ndtri(reached) - score)

    guess = size[near] - score[near] * np.hypot(1, size[near] / np.sqrt(2 * df))
    margin = 1 + size[near] / 2
    bracket = np.minimum(guess, size[near]) - margin, np.maximum(guess, size[near]) + margin
    result[near] = elementwise.find_root(miss, bracket, args=(size[near], score[near])).x
    return np.where(t < 0, -result, result)
