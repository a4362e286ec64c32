from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as scipy_stats
from hypothesis import given
from hypothesis import strategies as st

from actmax.errors import ActmaxError
from actmax.stats.ttest import paired, welch
from tests.stats.data import activations, groups

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")  # scipy's, where a group of two is a tie
@pytest.mark.parametrize(("n1", "n2"), [(2, 2), (2, 30), (17, 9), (100, 100), (400, 250)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_welch_equals_scipy(n1: int, n2: int, dtype: str) -> None:
    rng = np.random.default_rng(n1 * n2)
    values, labels = activations(rng, n1 + n2, dtype=dtype), groups(rng, n1, n2)
    if n1 > 2:
        values[labels] += 0.5
    ours = welch(values, labels)
    wide = values.astype(np.float64)
    spread = (np.ptp(wide[labels], axis=0) > 0) | (np.ptp(wide[~labels], axis=0) > 0)
    theirs = scipy_stats.ttest_ind(wide[labels][:, spread], wide[~labels][:, spread], axis=0, equal_var=False)
    np.testing.assert_allclose(ours.t[spread], theirs.statistic, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.df[spread], theirs.df, rtol=1e-7)
    np.testing.assert_allclose(ours.p[spread], theirs.pvalue, rtol=1e-6, atol=1e-300)


@pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")  # scipy's, where a group of two is a tie
@pytest.mark.parametrize("pairs", [2, 3, 40, 300])
def test_paired_equals_scipy(pairs: int) -> None:
    rng = np.random.default_rng(pairs)
    first, second = activations(rng, pairs), activations(rng, pairs)
    ours = paired(first, second)
    a, b = first.astype(np.float64), second.astype(np.float64)
    spread = np.ptp(a - b, axis=0) > 0
    theirs = scipy_stats.ttest_rel(a[:, spread], b[:, spread], axis=0)
    np.testing.assert_allclose(ours.t[spread], theirs.statistic, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.p[spread], theirs.pvalue, rtol=1e-6)
    assert (ours.df[~ours.constant] == pairs - 1).all()


def test_a_large_offset_costs_no_digits() -> None:
    # Float32 holds whole numbers near 1e7: their t must be that of the same numbers without the offset.
    rng = np.random.default_rng(5)
    labels = groups(rng, 60, 60)
    small = np.round(3 * rng.standard_normal((120, 50)))
    far = (small + 1e7).astype(np.float32)
    np.testing.assert_allclose(welch(far, labels).t, welch(small, labels).t, rtol=1e-9, atol=1e-12)
    tiny = small * 2.0**-400
    np.testing.assert_allclose(welch(tiny, labels).df, welch(small, labels).df, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")  # scipy's
def test_constant_units_are_marked() -> None:
    labels = np.array([True] * 3 + [False] * 4)
    values = np.zeros((7, 4), dtype=np.float32)
    values[:, 0] = 0.1  # no float64 sum of seven of these is exact
    values[:, 1] = np.where(labels, 0.1, 0.7)
    values[:, 2] = np.where(labels, 0.1, np.arange(7))
    values[:, 3] = np.arange(7)
    result = welch(values, labels)
    assert result.constant.tolist() == [True, False, False, False]
    assert np.isnan([result.t[0], result.p[0], result.df[0]]).all()
    assert result.t[1] == -np.inf
    assert result.p[1] == 0
    theirs = scipy_stats.ttest_ind([0.1] * 3, [3, 4, 5, 6], equal_var=False)
    np.testing.assert_allclose([result.t[2], result.p[2]], [theirs.statistic, theirs.pvalue], rtol=1e-6)


def test_pairs_without_any_difference_are_constant() -> None:
    values = np.arange(6.0).reshape(3, 2)
    result = paired(values, values)
    assert result.constant.all()
    assert np.isnan(result.p).all()
    shifted = paired(values + 1, values)
    assert not shifted.constant.any()
    assert (shifted.t == np.inf).all()
    assert (shifted.p == 0).all()


def test_pairs_must_match() -> None:
    with pytest.raises(ActmaxError, match="at least 2 pairs and there is 1"):
        paired(np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(Exception, match=r"one shape|'samples units'"):
        paired(np.ones((3, 2)), np.ones((4, 2)))


@given(seed=SEEDS, n1=st.integers(2, 20), n2=st.integers(2, 20))
def test_swapping_the_labels_flips_the_sign(seed: int, n1: int, n2: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = activations(rng, n1 + n2), groups(rng, n1, n2)
    one, other = welch(values, labels), welch(values, ~labels)
    np.testing.assert_allclose(one.t, -other.t, rtol=1e-12, atol=1e-12)  # a t near 0 is a difference of means
    np.testing.assert_allclose(one.p, other.p, rtol=1e-9)


@given(seed=SEEDS, power=st.integers(-20, 20), shift=st.integers(-1000, 1000))
def test_scale_and_shift_leave_t_alone(seed: int, power: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = rng.standard_normal((14, 5)), groups(rng, 6, 8)
    np.testing.assert_allclose(
        welch(values * 2.0**power + shift * 2.0**power, labels).t,
        welch(values, labels).t,
        rtol=1e-6,
        atol=1e-8,
    )


@given(seed=SEEDS)
def test_the_order_of_samples_and_units_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = activations(rng, 15), groups(rng, 7, 8)
    samples, units = rng.permutation(15), rng.permutation(values.shape[1])
    moved = welch(values[samples][:, units], labels[samples])
    np.testing.assert_allclose(moved.t, welch(values, labels).t[units], rtol=1e-9, atol=1e-12)


def test_shuffled_labels_give_the_nominal_level() -> None:
    rng = np.random.default_rng(8)
    values, labels = rng.standard_normal((60, 20_000), dtype=np.float32), groups(rng, 25, 35)
    rejected = int((welch(values, labels).p < 0.05).sum())
    low, high = scipy_stats.binom.interval(0.9999, 20_000, 0.05)
    assert low <= rejected <= high
