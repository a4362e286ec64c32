"""Logistic regression of the label on one unit's activation, for all units at once.

``P(label) = 1 / (1 + exp(-(intercept + slope * activation)))``, fitted by maximum likelihood:

1. Units without a maximum are recognised from ranges alone (Albert & Anderson 1984): constant units, and
   units that separate the groups, wholly or up to ties. They get a status, limits instead of estimates, and
   no iteration.
2. The others are standardised, started at the linear-discriminant solution, and refined by Newton's method
   (iteratively reweighted least squares), a whole chunk of units a step (:mod:`actmax.stats.newton`). The few
   that do not settle at once are fitted again by steps that cannot overshoot.
3. Slopes are scaled back; standard errors come from the information matrix at the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from scipy.special import ndtr, xlogy

from actmax.stats.newton import Solver, careful, fitted, quick
from actmax.stats.samples import (
    LEAST_UNITS,
    Chunk,
    Labels,
    PerUnit,
    Values,
    chunks,
    first_group_first,
    group_sizes,
)


class Status(IntEnum):
    """Whether a unit has a maximum-likelihood fit."""

    OK = 0
    CONSTANT = 1
    """One value in all samples: nothing to fit."""
    SEPARABLE = 2
    """Some threshold tells the groups apart without error: the slope is infinite."""
    QUASI_SEPARABLE = 3
    """As SEPARABLE, but for samples of both groups at exactly the threshold."""
    UNCONVERGED = 4
    """A maximum exists and was not reached; treat the numbers as approximate."""


@dataclass(frozen=True)
class Logistic:
    """One fit per unit. For units that are not OK the Wald columns are NaN; ``p_ratio`` still tells.

    A separable unit is the best there can be, yet has no Wald test: rank by ``p_ratio`` (the likelihood-ratio
    test, which stays finite) where separable units may occur.
    """

    slope: PerUnit
    """Change of the log odds per unit of activation; infinite, with its sign, for separable units."""
    intercept: PerUnit
    standard_error: PerUnit
    """Of the slope."""
    p: PerUnit
    """Two-sided Wald test that the slope is 0."""
    p_ratio: PerUnit
    """Likelihood-ratio test (chi-squared, one degree of freedom) that the slope is 0; NaN when constant."""
    log_likelihood: PerUnit
    accuracy: PerUnit
    """Share of these same samples on the right side of ``threshold``."""
    threshold: PerUnit
    """The activation at which both labels are equally likely."""
    status: Int[np.ndarray, " units"]
    """The :class:`Status` of each unit."""


def logistic(values: Values, labels: Labels) -> Logistic:
    """Fits every unit by itself; never raises or warns for the shape of a unit's data.

    Raises :class:`ActmaxError` where a group has fewer than two samples or an activation is not finite.
    """
    n1, n2 = group_sizes(values, labels)
    units, order = values.shape[1], first_group_first(labels)
    columns: dict[str, Any] = {field.name: np.full(units, np.nan) for field in fields(Logistic)}
    result = Logistic(**columns | {"status": np.zeros(units, dtype=np.int64)})
    for where, chunk in chunks(values, order):
        ranges = _Ranges.of(chunk, n1)
        status = ranges.status()
        ok = status == Status.OK
        place = np.arange(where.start, where.stop)
        result.status[where] = status
        if ok.any():
            _fill(result, place[ok], _regular(chunk if ok.all() else chunk[:, ok], n1, quick))
        if not ok.all():
            _fill(result, place[~ok], _limits(chunk, n1, ranges, status))
    left = np.flatnonzero(result.status == Status.UNCONVERGED)
    for begin in range(0, len(left), LEAST_UNITS):
        place = left[begin : begin + LEAST_UNITS]
        for where, chunk in chunks(values[:, place], order):
            _fill(result, place[where], _regular(chunk, n1, careful))
    null = n1 * np.log(n1 / (n1 + n2)) + n2 * np.log(n2 / (n1 + n2))
    ratio = np.maximum(2 * (result.log_likelihood - null), 0.0)
    chance = 2 * ndtr(-np.sqrt(ratio))  # chi-squared of one degree is a normal squared
    result.p_ratio[:] = np.where(result.status == Status.CONSTANT, np.nan, chance)
    return result


def predict(values: Values, model: Logistic) -> Bool[np.ndarray, "samples units"]:
    """The more likely label of new samples under every unit's fit (False where the unit tells nothing)."""
    side = np.sign(model.slope)
    with np.errstate(invalid="ignore"):
        return np.asarray((values.astype(np.float64) - model.threshold) * side > 0)


@dataclass(frozen=True)
class _Ranges:
    """The smallest and the largest value of every unit in each group."""

    low: PerUnit
    high: PerUnit
    low_second: PerUnit
    high_second: PerUnit

    @classmethod
    def of(cls, chunk: Chunk, n1: int) -> _Ranges:
        first, second = chunk[:n1], chunk[n1:]
        return cls(first.min(axis=0), first.max(axis=0), second.min(axis=0), second.max(axis=0))

    def status(self) -> Int[np.ndarray, " units"]:
        above, below = self.low - self.high_second, self.low_second - self.high
        constant = (above == 0) & (below == 0)
        separable, touching = (above > 0) | (below > 0), (above == 0) | (below == 0)
        kinds = [Status.CONSTANT, Status.SEPARABLE, Status.QUASI_SEPARABLE]
        return np.select([constant, separable, touching], kinds, Status.OK).astype(np.int64)


def _regular(chunk: Chunk, n1: int, solve: Solver) -> dict[str, PerUnit]:
    """The units with a maximum: standardise, fit, scale back."""
    n = len(chunk)
    mean = chunk.mean(axis=0)
    x = chunk - mean
    deviation = np.sqrt(np.einsum("su,su->u", x, x) / n)
    x /= deviation
    gap = x[:n1].mean(axis=0) - x[n1:].mean(axis=0)
    within = n - n1 * (n - n1) / n * gap**2
    fits = fitted(x, n1, *solve(x, n1, gap * (n - 2) / within))
    slope = fits.slope / deviation
    error = fits.standard_error / deviation
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * ndtr(-np.abs(slope / error))
        threshold = mean - fits.intercept / slope
    return {
        "slope": slope,
        "intercept": fits.intercept - slope * mean,
        "standard_error": error,
        "p": p,
        "log_likelihood": fits.log_likelihood,
        "accuracy": fits.accuracy,
        "threshold": threshold,
        "status": np.where(fits.converged, Status.OK, Status.UNCONVERGED),
    }


def _limits(chunk: Chunk, n1: int, ranges: _Ranges, status: Int[np.ndarray, " chunk"]) -> dict[str, PerUnit]:
    """The units without one: where slope, likelihood and accuracy tend as the slope grows."""
    odd = status != Status.OK
    flat = status[odd] == Status.CONSTANT
    up = (ranges.low >= ranges.high_second)[odd] & ~flat
    above, below = (ranges.low + ranges.high_second)[odd] / 2, (ranges.high + ranges.low_second)[odd] / 2
    threshold = np.where(up, above, below)
    at = (chunk[:, odd] == threshold) & (status[odd] != Status.SEPARABLE)
    tied_first = np.count_nonzero(at[:n1], axis=0)
    tied_second = np.count_nonzero(at[n1:], axis=0)
    tied = np.maximum(tied_first + tied_second, 1)
    return {
        "slope": np.where(flat, 0.0, np.where(up, np.inf, -np.inf)),
        "intercept": np.where(flat, np.log(n1 / (len(chunk) - n1)), np.nan),
        "log_likelihood": xlogy(tied_first, tied_first / tied) + xlogy(tied_second, tied_second / tied),
        "accuracy": 1 - np.minimum(tied_first, tied_second) / len(chunk),
        "threshold": np.where(flat, np.nan, threshold),
    }


def _fill(result: Logistic, units: Int[np.ndarray, " some"], columns: dict[str, PerUnit]) -> None:
    for name, column in columns.items():
        getattr(result, name)[units] = column
