from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats as scipy_stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from actmax.errors import ActmaxError
from actmax.stats.correlates import correlate
from tests.stats.data import activations

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("samples", [4, 30, 500])
def test_equals_scipy(samples: int) -> None:
    rng = np.random.default_rng(samples)
    values = activations(rng, samples)
    covariate = np.round(3 * rng.standard_normal(samples))
    covariate[0] = 20.0
    ours = correlate(values, covariate)
    for unit, column in enumerate(values.astype(np.float64).T):
        theirs: Any = scipy_stats.pearsonr(column, covariate)
        assert ours.r[unit] == pytest.approx(theirs.statistic, abs=1e-9)
        assert ours.p[unit] == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-9)


def test_partial_correlation_equals_the_regression_of_statsmodels() -> None:
    rng = np.random.default_rng(1)
    values, controls = activations(rng, 60), rng.standard_normal((60, 2))
    covariate = controls @ [0.5, -1.0] + rng.standard_normal(60)
    ours = correlate(values, covariate, controls)
    design = sm.add_constant(np.column_stack([covariate, controls]))
    for unit, column in enumerate(values.astype(np.float64).T):
        fit = sm.OLS(column - column.mean(), design).fit()
        t = fit.tvalues[1]
        assert ours.p[unit] == pytest.approx(fit.pvalues[1], rel=1e-6)
        assert ours.r[unit] == pytest.approx(t / np.sqrt(t**2 + fit.df_resid), abs=1e-8)
    assert ours.df == 56


def test_planted_confounds_are_exposed() -> None:
    # Rare words are long: units that follow frequency seem to follow length until frequency is held constant.
    rng = np.random.default_rng(3)
    frequency = rng.standard_normal(800)
    length = -0.8 * frequency + 0.6 * rng.standard_normal(800)
    values = rng.standard_normal((800, 300)).astype(np.float32)
    values[:, :100] += 2 * frequency[:, None]
    values[:, 100:200] += 2 * length[:, None]
    plain = correlate(values, length)
    partial = correlate(values, length, frequency[:, None])
    assert (plain.p[:200] < 1e-6).all()
    assert (partial.p[100:200] < 1e-6).all()
    for p in (plain.p[200:], partial.p[200:]):
        low, high = scipy_stats.binom.interval(0.9999, 100, 0.05)
        assert low <= (p < 0.05).sum() <= high
    assert np.abs(partial.r[:100]).max() < 0.2 < np.abs(plain.r[:100]).min()


def test_the_level_is_nominal() -> None:
    rng = np.random.default_rng(4)
    values, length, controls = (
        rng.standard_normal((25, 20_000)),
        rng.standard_normal(25),
        rng.standard_normal((25, 3)),
    )
    low, high = scipy_stats.binom.interval(0.9999, 20_000, 0.05)
    assert low <= (correlate(values, length, controls).p < 0.05).sum() <= high


def test_constant_and_wholly_explained_units_have_no_correlation() -> None:
    rng = np.random.default_rng(5)
    frequency, length = rng.standard_normal(30), rng.standard_normal(30)
    values = np.stack([np.full(30, 0.1), 3 * frequency + 2, length, -length], axis=1)
    partial = correlate(values, length, frequency[:, None])
    assert np.isnan(partial.r[:2]).all()
    assert np.isnan(partial.p[:2]).all()
    np.testing.assert_allclose(partial.r[2:], [1, -1])
    assert (partial.p[2:] < 1e-12).all()


@given(seed=SEEDS)
def test_invariants(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, covariate, controls = (
        rng.standard_normal((15, 6)),
        rng.standard_normal(15),
        rng.standard_normal((15, 2)),
    )
    one = correlate(values, covariate, controls)
    np.testing.assert_allclose(correlate(values, -covariate, controls).r, -one.r, atol=1e-9)
    np.testing.assert_allclose(correlate(5 * values + 3, covariate, controls).r, one.r, atol=1e-9)
    doubled = np.concatenate([controls, controls[:, :1]], axis=1)
    np.testing.assert_allclose(correlate(values, covariate, doubled).r, one.r, atol=1e-9)
    assert (np.abs(one.r) <= 1).all()


def test_mistakes_are_named() -> None:
    values = np.random.default_rng(6).standard_normal((8, 2))
    line = np.arange(8.0)
    with pytest.raises(ActmaxError, match="the covariate is constant, or follows from the controls"):
        correlate(values, np.full(8, 0.1))
    with pytest.raises(ActmaxError, match="follows from the controls"):
        correlate(values, line, 3 * line[:, None] + 1)
    with pytest.raises(ActmaxError, match="the covariate hold"):
        correlate(values, np.where(line == 3, np.nan, line))
    with pytest.raises(ActmaxError, match="too few to correlate with 6 controls; give at least 9"):
        correlate(values, line, np.eye(8)[:, :6])
    with pytest.raises(ActmaxError, match="unit 1 in sample 2"):
        correlate(np.where((np.arange(8) == 2)[:, None] & np.array([False, True]), np.nan, values), line)
