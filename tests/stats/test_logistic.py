from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.stats as scipy_stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from actmax.stats.logistic import Logistic, Status, logistic, predict
from actmax.stats.newton import careful, fitted, quick
from tests.stats.data import activations, groups

SEEDS = st.integers(0, 2**32 - 1)


def assert_equal_to_statsmodels(values: np.ndarray, labels: np.ndarray, ours: Logistic) -> int:
    """Compares every unit that has a fit; how many those were."""
    compared = 0
    for unit, column in enumerate(values.astype(np.float64).T):
        if ours.status[unit] != Status.OK:
            continue
        # Offsets and scales are beyond statsmodels' Newton; the slope of a standardised unit is the same fit.
        mean, deviation = column.mean(), column.std()
        design = sm.add_constant((column - mean) / deviation)
        fit = sm.Logit(labels.astype(float), design).fit(disp=0, maxiter=200, tol=1e-12)
        assert ours.slope[unit] * deviation == pytest.approx(fit.params[1], rel=1e-6, abs=1e-8)
        assert ours.standard_error[unit] * deviation == pytest.approx(fit.bse[1], rel=1e-6)
        assert ours.intercept[unit] + ours.slope[unit] * mean == pytest.approx(
            fit.params[0], rel=1e-6, abs=1e-6
        )
        assert ours.p[unit] == pytest.approx(fit.pvalues[1], rel=1e-6, abs=1e-12)
        assert ours.p_ratio[unit] == pytest.approx(fit.llr_pvalue, rel=1e-6, abs=1e-12)
        assert ours.log_likelihood[unit] == pytest.approx(fit.llf, rel=1e-9)
        assert ours.accuracy[unit] == pytest.approx(np.mean((fit.predict() > 0.5) == labels), abs=1e-12)
        compared += 1
    return compared


@pytest.mark.parametrize(("n1", "n2"), [(8, 11), (40, 15), (100, 100), (150, 400)])
@pytest.mark.parametrize("effect", [0.0, 0.7, 2.0])
def test_equals_statsmodels(n1: int, n2: int, effect: float) -> None:
    rng = np.random.default_rng(n1)
    values, labels = activations(rng, n1 + n2), groups(rng, n1, n2)
    values[labels] += effect
    ours = logistic(values, labels)
    assert (ours.status != Status.UNCONVERGED).all()
    assert assert_equal_to_statsmodels(values, labels, ours) >= 20


def test_equals_unpenalised_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels = groups(rng, 70, 90)
    values = rng.standard_normal((160, 8)) + labels[:, None]
    ours = logistic(values, labels)
    for unit, column in enumerate(values.T):
        theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(column[:, None], labels)
        assert ours.slope[unit] == pytest.approx(theirs.coef_[0, 0], abs=1e-6)
        assert ours.intercept[unit] == pytest.approx(theirs.intercept_[0], abs=1e-6)
        assert ours.accuracy[unit] == pytest.approx(theirs.score(column[:, None], labels))
        assert ours.threshold[unit] == pytest.approx(-theirs.intercept_[0] / theirs.coef_[0, 0], abs=1e-5)
        assert (predict(values, ours)[:, unit] == theirs.predict(column[:, None])).all()


def test_nearly_separated_and_outlying_units_equal_statsmodels() -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(60) < 30
    values = np.where(labels[:, None], 2.0, -2.0) + 0.5 * rng.standard_normal((60, 12))
    values[3] = values[45] - np.geomspace(1e-9, 1, 12)  # one sample of each group among the others
    values[:, 6:] = rng.standard_normal((60, 6))
    values[7, 6:] = np.geomspace(10, 1e6, 6)
    values[8, 6:] = -values[7, 6:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = logistic(values, labels)
    assert (ours.status == Status.OK).all()
    assert assert_equal_to_statsmodels(values, labels, ours) == 12


def test_careful_and_quick_steps_meet() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((50, 30)) + 0.8 * (np.arange(50) < 20)[:, None]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    start = np.ones(30)
    one, other = fitted(x, 20, *quick(x, 20, start)), fitted(x, 20, *careful(x, 20, start))
    assert one.converged.all()
    assert other.converged.all()
    np.testing.assert_allclose(one.slope, other.slope, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(one.standard_error, other.standard_error, rtol=1e-8)


def test_units_without_a_fit_are_marked_and_still_ranked() -> None:
    labels = np.array([True] * 4 + [False] * 6)
    line = np.arange(10.0)
    tied = line.copy()
    tied[4] = tied[3]  # both groups at 3
    values = np.stack([np.full(10, 0.1), line, -line, tied, -tied, np.cos(line)], axis=1).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = logistic(values, labels)
    quasi = Status.QUASI_SEPARABLE
    assert result.status.tolist() == [
        Status.CONSTANT,
        Status.SEPARABLE,
        Status.SEPARABLE,
        quasi,
        quasi,
        Status.OK,
    ]
    assert result.slope[:5].tolist() == [0.0, -np.inf, np.inf, -np.inf, np.inf]
    assert np.isnan(result.p[:5]).all()
    assert np.isnan(result.standard_error[:5]).all()
    assert np.isnan(result.p_ratio[0])
    assert result.accuracy[:5] == pytest.approx([0.6, 1.0, 1.0, 0.9, 0.9])
    null = 4 * np.log(0.4) + 6 * np.log(0.6)
    assert result.log_likelihood[:5] == pytest.approx([null, 0, 0, 2 * np.log(0.5), 2 * np.log(0.5)])
    assert result.p_ratio[1] == pytest.approx(scipy_stats.chi2.sf(-2 * null, 1))
    assert result.threshold[1] == 3.5
    # The likelihood of a quasi-separable unit is the limit of ever steeper fits.
    steep = logistic(
        np.where(line == 3, 3 + 1e-9, np.where(line == 4, 3 - 1e-9, line))[:, None] * 1.0, labels
    )
    assert steep.status[0] in (Status.SEPARABLE, Status.OK)
    assert (predict(values, result)[:, 1] == labels).all()


def test_a_constant_unit_predicts_nothing() -> None:
    values = np.ones((6, 1))
    assert not predict(values, logistic(values, np.arange(6) < 4)).any()


def test_a_large_offset_costs_no_digits() -> None:
    rng = np.random.default_rng(5)
    labels = groups(rng, 60, 70)
    small = np.round(3 * rng.standard_normal((130, 40)) + labels[:, None])
    far = (small + 1e7).astype(np.float32)
    one, other = logistic(far, labels), logistic(small, labels)
    np.testing.assert_allclose(one.slope, other.slope, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(one.p, other.p, rtol=1e-8)


@given(seed=SEEDS, n1=st.integers(2, 20), n2=st.integers(2, 20), effect=st.sampled_from([0.0, 1.0, 4.0]))
def test_invariants(seed: int, n1: int, n2: int, effect: float) -> None:
    rng = np.random.default_rng(seed)
    values, labels = activations(rng, n1 + n2, each=3, dtype="float64"), groups(rng, n1, n2)
    values[labels] += effect
    one, swapped, scaled = logistic(values, labels), logistic(values, ~labels), logistic(4 * values, labels)
    assert (one.status != Status.UNCONVERGED).all()
    np.testing.assert_array_equal(one.status, swapped.status)
    np.testing.assert_array_equal(one.status, scaled.status)
    np.testing.assert_allclose(one.slope, -swapped.slope, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(one.slope, 4 * scaled.slope, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(one.p_ratio, swapped.p_ratio, rtol=1e-5, atol=1e-9)
    varied = one.status != Status.CONSTANT
    assert ((one.p_ratio[varied] >= 0) & (one.p_ratio[varied] <= 1)).all()
    # At the maximum the expected number of True labels is the number seen.
    ok = one.status == Status.OK
    score = one.intercept[ok] + values[:, ok] * one.slope[ok]
    chance = np.exp(-np.logaddexp(0, -score))
    np.testing.assert_allclose(chance.sum(axis=0), n1, atol=1e-3)


@pytest.mark.parametrize("kind", ["cauchy", "exponential"])
def test_wild_units_all_arrive_at_the_top(kind: str) -> None:
    rng = np.random.default_rng(6)
    labels = groups(rng, 20, 25)
    values = (
        rng.standard_cauchy((45, 400)) if kind == "cauchy" else np.exp(4 * rng.standard_normal((45, 400)))
    )
    result = logistic(values, labels)
    assert (result.status != Status.UNCONVERGED).all()
    ok = result.status == Status.OK
    chance = np.exp(-np.logaddexp(0, -(result.intercept[ok] + values[:, ok] * result.slope[ok])))
    np.testing.assert_allclose(chance.sum(axis=0), 20, atol=1e-4)


def test_shuffled_labels_give_the_nominal_level() -> None:
    rng = np.random.default_rng(10)
    values, labels = rng.standard_normal((300, 10_000), dtype=np.float32), groups(rng, 120, 180)
    result = logistic(values, labels)
    low, high = scipy_stats.binom.interval(0.9999, 10_000, 0.05)
    for p in (result.p, result.p_ratio):
        assert low <= int((p < 0.05).sum()) <= high
