"""Newton's method for many two-parameter logistic fits at once.

Each column of ``x`` is one fit: a standardised predictor (mean 0, mean square 1) of the same labels, the
samples labelled True standing first. With ``T = tanh((a + b x) / 2)`` and the labels as +1 and -1, the
probabilities are ``(1 + T) / 2`` and their variances ``(1 - T^2) / 4``, so that a Newton step needs one tanh
and five sums. The first steps need no precision and run in float32; the last one runs in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from actmax.stats.samples import Chunk, PerUnit

ROUGH_STEPS = 5
CAREFUL_STEPS = 200
HALVINGS = 40
NEAR = 1e-8
"""A step worth less than this needs no check of the likelihood: about 1e-4 standard errors."""
ARRIVED = 1e-18
"""A step worth less than this is the last: 1e-9 standard errors."""
ROUGH = 1e-3
"""The float32 steps end where all of them are this small beside the coefficients; one of float64 then squares
what is left."""
FINE = 1e-5
"""A fit has converged where its last float64 step was this small: the error left is near the square of it."""
START_AT_MOST = 4.0
"""The linear-discriminant start is cut to this many log odds per standard deviation."""
SATURATED = 1e-4
"""Where the mean of 1 - T^2 or its spread is below this, the differences cancel: careful steps take over."""

Solution: TypeAlias = tuple[PerUnit, PerUnit, Bool[np.ndarray, " units"]]
"""Intercepts, slopes, and which of them have converged."""

Solver: TypeAlias = Callable[[Chunk, int, PerUnit], Solution]
"""From standardised predictors, the size of the first group, and starting slopes."""


def quick(x: Chunk, n1: int, start: PerUnit) -> Solution:
    """Plain Newton steps from slopes ``start`` for all columns together; right for nearly all data."""
    b = np.clip(start, -START_AT_MOST, START_AT_MOST) / 2
    a = np.full(x.shape[1], np.log(n1 / (len(x) - n1)) / 2)
    rough = x.astype(np.float32)
    buffer, product = np.empty_like(rough), np.empty_like(rough)
    for _ in range(ROUGH_STEPS):
        step_a, step_b, usable = _step(rough, n1, a, b, buffer, product)
        a += step_a
        b += step_b
        if _small(step_a, step_b, a, b, ROUGH)[usable].all():
            break
    step_a, step_b, usable = _step(x, n1, a, b, np.empty_like(x), np.empty_like(x))
    a += step_a
    b += step_b
    return 2 * a, 2 * b, usable & _small(step_a, step_b, a, b, FINE)


def _step(
    x: Float[np.ndarray, "samples chunk"],
    n1: int,
    a: PerUnit,
    b: PerUnit,
    tanh: Float[np.ndarray, "samples chunk"],
    product: Float[np.ndarray, "samples chunk"],
) -> tuple[PerUnit, PerUnit, Bool[np.ndarray, " chunk"]]:
    """The Newton step of the halved coefficients, and where it is usable (0 where not).

    ``tanh`` and ``product`` are room to work in.
    """
    n = len(x)
    ones = np.ones(n, dtype=x.dtype)
    sign = np.where(np.arange(n) < n1, ones, -ones)
    np.multiply(x, b.astype(x.dtype), out=tanh)
    tanh += a.astype(x.dtype)
    np.tanh(tanh, out=tanh)
    np.multiply(tanh, x, out=product)
    miss = 2 * n1 - n - ones @ tanh
    miss_x = sign @ x - ones @ product
    total = n - np.einsum("su,su->u", tanh, tanh)
    cross = -np.einsum("su,su->u", tanh, product)
    square = n - np.einsum("su,su->u", product, product)
    usable = total > SATURATED * n
    total = np.where(usable, total, 1.0)
    spread = square - cross**2 / total
    usable &= spread > SATURATED * total
    step_b = np.where(usable, miss_x - cross / total * miss, 0.0) / np.where(usable, spread, 1.0)
    step_a = np.where(usable, miss - cross * step_b, 0.0) / total
    return step_a.astype(np.float64), step_b.astype(np.float64), usable


def _small(
    step_a: PerUnit, step_b: PerUnit, a: PerUnit, b: PerUnit, tolerance: float
) -> Bool[np.ndarray, " chunk"]:
    size = 1 + np.maximum(np.abs(a), np.abs(b))
    return np.asarray(np.maximum(np.abs(step_a), np.abs(step_b)) <= tolerance * size)


def careful(x: Chunk, n1: int, start: PerUnit) -> Solution:
    """Newton steps from slope 0 (``start`` is not trusted), each halved until the likelihood does not fall.

    For the rare column that :func:`quick` leaves: outliers, groups that all but separate. The likelihood is
    concave, so this arrives unless float64 runs out.
    """
    a, b = np.full_like(start, np.log(n1 / (len(x) - n1))), np.zeros_like(start)
    converged = np.zeros(len(start), dtype=bool)
    active = np.arange(len(start))
    for _ in range(CAREFUL_STEPS):
        rows, a0, b0 = x[:, active], a[active], b[active]
        step_a, step_b, gain, usable = _centred_step(rows, n1, a0, b0)
        scale = np.ones_like(a0)
        likelihood = log_likelihood(rows, n1, a0, b0)
        for _ in range(HALVINGS):
            trial = log_likelihood(rows, n1, a0 + scale * step_a, b0 + scale * step_b)
            # Near the top a full step is right, and its gain is lost in the rounding of the likelihood.
            fell = (trial < likelihood) & (gain > NEAR)
            if not fell.any():
                break
            scale[fell] /= 2
        a[active] = a0 + scale * step_a
        b[active] = b0 + scale * step_b
        done = usable & ((gain <= ARRIVED) | _small(step_a, step_b, a0, b0, 1e-8))
        converged[active[done]] = True
        active = active[usable & ~done & ~fell]
        if not len(active):
            break
    return a, b, converged


def _centred_step(
    x: Chunk, n1: int, a: PerUnit, b: PerUnit
) -> tuple[PerUnit, PerUnit, PerUnit, Bool[np.ndarray, " chunk"]]:
    """The Newton step, twice the likelihood it promises (its standard errors, squared), if usable."""
    tail = np.exp(-np.abs(x * b + a))
    wrong = np.where(x * b + a > 0, tail, 1.0) / (1 + tail)  # P(label is False)
    residual = np.concatenate([wrong[:n1], wrong[n1:] - 1])
    total, centre, spread = _information(x, tail)
    usable = (total > 1e-250) & (spread > 1e-250)
    miss, miss_x = residual.sum(axis=0), np.einsum("su,su->u", residual, x - centre)
    step_b = np.where(usable, miss_x, 0.0) / np.where(usable, spread, 1.0)
    step_a = np.where(usable, miss, 0.0) / np.where(usable, total, 1.0) - centre * step_b
    return step_a, step_b, step_a * miss + step_b * (miss_x + centre * miss), usable


def _information(x: Chunk, tail: Chunk) -> tuple[PerUnit, PerUnit, PerUnit]:
    """Sum of the weights p (1 - p), their centre of ``x``, and the weighted squares about that centre.

    ``tail`` is ``exp(-|a + b x|)``, from which small weights come without cancellation.
    """
    weight = tail + 1
    np.multiply(weight, weight, out=weight)
    np.divide(tail, weight, out=weight)
    total = weight.sum(axis=0)
    centre = np.einsum("su,su->u", weight, x) / np.where(total > 0, total, 1.0)
    distance = x - centre
    weight *= distance
    return total, centre, np.einsum("su,su->u", weight, distance)


def log_likelihood(x: Chunk, n1: int, a: PerUnit, b: PerUnit) -> PerUnit:
    """The sum of ``log P(label)`` over the samples, without overflow."""
    against = x * b
    against += a
    np.negative(against[:n1], out=against[:n1])
    tail = np.exp(-np.abs(against))
    return np.asarray(-(np.maximum(against, 0).sum(axis=0) + np.log1p(tail).sum(axis=0)))


@dataclass(frozen=True)
class Fits:
    """Fits on the standardised scale."""

    intercept: PerUnit
    slope: PerUnit
    converged: Bool[np.ndarray, " units"]
    standard_error: PerUnit
    """Of the slope."""
    log_likelihood: PerUnit
    accuracy: PerUnit


def fitted(x: Chunk, n1: int, a: PerUnit, b: PerUnit, converged: Bool[np.ndarray, " units"]) -> Fits:
    """What follows from the coefficients: standard error, likelihood, share of labels predicted."""
    score = x * b
    score += a
    above = score > 0
    right = np.count_nonzero(above[:n1], axis=0) + np.count_nonzero(~above[n1:], axis=0)
    np.negative(score[:n1], out=score[:n1])
    hinge = np.maximum(score, 0).sum(axis=0)
    np.abs(score, out=score)
    np.negative(score, out=score)
    tail = np.exp(score, out=score)
    _, _, spread = _information(x, tail)
    with np.errstate(divide="ignore"):
        error = 1 / np.sqrt(spread)
    likelihood = -(hinge + np.log1p(tail, out=tail).sum(axis=0))
    return Fits(a, b, converged, error, likelihood, right / len(x))
