from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.stats as scipy_stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaln, nctdtr

from actmax.errors import ActmaxError
from actmax.stats.effect import cohens_d, cohens_d_paired, noncentrality
from tests.stats.data import activations, groups


@pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")  # scipy's, where a group of two is a tie
@pytest.mark.parametrize(("n1", "n2"), [(2, 2), (6, 30), (100, 100)])
def test_d_is_the_pooled_t_rescaled(n1: int, n2: int) -> None:
    rng = np.random.default_rng(n1)
    values, labels = activations(rng, n1 + n2), groups(rng, n1, n2)
    wide = values.astype(np.float64)
    spread = (np.ptp(wide[labels], axis=0) > 0) | (np.ptp(wide[~labels], axis=0) > 0)
    theirs = scipy_stats.ttest_ind(wide[labels][:, spread], wide[~labels][:, spread], axis=0)
    ours = cohens_d(values, labels)
    np.testing.assert_allclose(
        ours.d[spread], theirs.statistic * np.sqrt(1 / n1 + 1 / n2), rtol=1e-7, atol=1e-9
    )


def noncentral_t(t: float, df: int, delta: float) -> float:
    """Its distribution function as an integral: a normal over the root of a chi-squared."""
    chi2 = scipy_stats.chi2(df)
    middle = chi2.ppf(np.linspace(0.0, 1.0, 101)[1:-1])

    def density(v: float) -> float:
        return float(scipy_stats.norm.cdf(t * np.sqrt(v / df) - delta) * chi2.pdf(v))

    edges = [0.0, *middle[::7], chi2.isf(1e-12)]
    return sum(quad(density, a, b, epsabs=1e-12)[0] for a, b in pairwise(edges))


@pytest.mark.parametrize("df", [2, 18, 198])
@pytest.mark.parametrize("quantile", [0.005, 0.5, 0.975])
def test_the_interval_inverts_the_noncentral_t(df: int, quantile: float) -> None:
    t = np.array([-30.0, -2.1, 0.0, 0.5, 12.0])
    for value, found in zip(t, noncentrality(t, df, quantile), strict=True):
        assert noncentral_t(value, df, found) == pytest.approx(quantile, abs=1e-7)


@pytest.mark.parametrize("df", [1, 2, 7, 50, 198, 5000])
@pytest.mark.parametrize("quantile", [0.005, 0.025, 0.5, 0.975, 0.995])
def test_the_search_arrives_everywhere(df: int, quantile: float) -> None:
    t = np.concatenate([-np.geomspace(300, 1e-6, 60), [0.0], np.geomspace(1e-6, 300, 60)])
    found = noncentrality(t, df, quantile)
    below, above = nctdtr(df, found, t), 1 - nctdtr(df, -found, -t)
    reached = np.where(t < 0, above, below)
    np.testing.assert_allclose(reached, quantile, atol=1e-8)
    assert (np.diff(found) > 0).all()


def test_the_interval_covers_at_its_level() -> None:
    rng = np.random.default_rng(4)
    labels = np.arange(14) < 5
    values = rng.standard_normal((14, 20_000)) + 1.5 * labels[:, None]
    result = cohens_d(values, labels)
    covered = int(((result.low <= 1.5) & (result.high >= 1.5)).sum())
    low, high = scipy_stats.binom.interval(0.9999, 20_000, 0.95)
    assert low <= covered <= high
    without_bias = result.d * np.exp(gammaln(6) - gammaln(5.5)) / np.sqrt(6)  # Hedges (1981), exactly
    assert abs(without_bias.mean() - 1.5) < 0.02 < result.d.mean() - 1.5


@pytest.mark.parametrize("df", [2, 198, 5000])
def test_the_limit_far_out_meets_the_search(df: int) -> None:
    t = np.array([-1000.001, -999.999, 999.999, 1000.001])
    for quantile in (0.025, 0.5, 0.975):
        ends = noncentrality(t, df, quantile)
        np.testing.assert_allclose([ends[0], ends[3]], [ends[1], ends[2]], rtol=1e-4)
    assert np.isfinite(noncentrality(np.array([1e12, -1e300]), df, 0.025)).all()


def test_very_large_effects_have_an_interval() -> None:
    rng = np.random.default_rng(5)
    labels = np.arange(200) < 100
    values = 1e-3 * rng.standard_normal((200, 3)) + labels[:, None] * np.array([0.1, 1.0, -5.0])
    result = cohens_d(values, labels)
    assert (result.low < result.d).all()
    assert (result.d < result.high).all()
    np.testing.assert_allclose(
        (result.high - result.low) / np.abs(result.d), 2 * 1.96 / np.sqrt(2 * 198), rtol=0.05
    )


def test_paired_d_is_mean_over_spread_of_the_differences() -> None:
    rng = np.random.default_rng(6)
    first, second = activations(rng, 25), activations(rng, 25)
    change = first.astype(np.float64) - second.astype(np.float64)
    result = cohens_d_paired(first, second)
    np.testing.assert_allclose(result.d, change.mean(axis=0) / change.std(axis=0, ddof=1), rtol=1e-9)
    assert ((result.low < result.d) & (result.d < result.high)).all()


def test_units_without_spread_have_no_interval() -> None:
    labels = np.array([True, True, False, False])
    values = np.stack([np.ones(4), labels * 1.0, np.arange(4.0)], axis=1)
    result = cohens_d(values, labels)
    assert np.isnan(result.d[0])
    assert result.d[1] == np.inf
    assert np.isnan(result.low[:2]).all()
    assert np.isfinite(result.low[2])


def test_a_level_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ActmaxError, match="confidence level is 95"):
        cohens_d(np.zeros((4, 1)), np.arange(4) < 2, level=95.0)


@given(seed=st.integers(0, 2**32 - 1), n1=st.integers(2, 12), n2=st.integers(2, 12))
def test_swapping_the_labels_mirrors_the_interval(seed: int, n1: int, n2: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = rng.standard_normal((n1 + n2, 4)), groups(rng, n1, n2)
    one, other = cohens_d(values, labels), cohens_d(values, ~labels)
    np.testing.assert_allclose(one.low, -other.high, rtol=1e-6, atol=1e-7)
    assert (one.low < one.high).all()
