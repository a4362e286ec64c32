from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import scipy.stats as scipy_stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from actmax.stats.ranks import mann_whitney, rank_tests
from tests.stats.data import activations, groups

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("n1", "n2"), [(2, 2), (3, 5), (8, 40), (9, 9), (60, 25), (300, 200)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_scipy_and_scikit_learn(n1: int, n2: int, dtype: str) -> None:
    rng = np.random.default_rng(n1 + n2)
    values, labels = activations(rng, n1 + n2, dtype=dtype), groups(rng, n1, n2)
    values[labels] += 0.25
    ours = mann_whitney(values, labels)
    for unit, column in enumerate(values.astype(np.float64).T):
        theirs = scipy_stats.mannwhitneyu(column[labels], column[~labels])
        assert ours.u[unit] == theirs.statistic
        assert ours.p[unit] == pytest.approx(theirs.pvalue, rel=1e-9, abs=1e-300)
        assert ours.auc[unit] == pytest.approx(roc_auc_score(labels, column), abs=1e-12)


def test_constant_units_are_marked() -> None:
    labels = np.arange(30) < 12
    values = np.stack([np.full(30, 0.3), np.where(labels, 1.0, 0.0)], axis=1)
    result = mann_whitney(values, labels)
    assert result.constant.tolist() == [True, False]
    assert result.p[0] == 1
    assert result.auc.tolist() == [0.5, 1.0]
    assert 0 < result.p[1] < 1e-6


def test_minus_zero_ties_with_zero() -> None:
    values = np.array([[0.0], [-0.0], [0.0], [-0.0]])
    for dtype in (np.float32, np.float64):
        result = mann_whitney(values.astype(dtype), np.array([True, False, False, True]))
        assert result.auc[0] == 0.5
        assert result.constant[0]


def test_the_order_of_float32_is_kept_at_its_ends() -> None:
    ends = np.array([-3.4e38, -1.0, -1e-45, 0.0, 1e-45, 1.0, 3.4e38], dtype=np.float32)
    labels = np.arange(7) >= 4
    assert mann_whitney(ends[:, None], labels).u[0] == 12
    assert mann_whitney(ends[:, None], ~labels).u[0] == 0


@pytest.mark.parametrize(("n1", "n2"), [(2, 3), (3, 3), (4, 2), (5, 3), (2, 6)])
def test_the_exact_distribution_by_counting_orders(n1: int, n2: int) -> None:
    places = list(combinations(range(n1 + n2), n1))
    sums = np.array([sum(chosen) - n1 * (n1 - 1) // 2 for chosen in places])
    labels = np.arange(n1 + n2) < n1
    values = np.empty((n1 + n2, len(places)))  # one unit for every order of the samples
    for unit, chosen in enumerate(places):
        values[labels, unit] = chosen
        values[~labels, unit] = sorted(set(range(n1 + n2)) - set(chosen))
    result = mann_whitney(values, labels)
    np.testing.assert_array_equal(result.u, sums)
    larger = np.maximum(sums, n1 * n2 - sums)
    tail = np.array([np.mean(sums >= u) for u in larger])
    np.testing.assert_allclose(result.p, np.minimum(2 * tail, 1), rtol=1e-12)


def test_many_labellings_give_what_each_gives() -> None:
    rng = np.random.default_rng(12)
    for n1, n2 in ((4, 20), (15, 12)):
        values = activations(rng, n1 + n2, each=3)
        values[:, 3] = 0.3
        labellings = np.stack([groups(rng, n1, n2) for _ in range(7)])
        u, p, constant = rank_tests(values, labellings)
        each = [mann_whitney(values, row) for row in labellings]
        np.testing.assert_array_equal(u, np.stack([one.u for one in each]))
        np.testing.assert_array_equal(p, np.stack([one.p for one in each]))
        assert np.flatnonzero(constant).tolist() == [3]


@given(seed=SEEDS, n1=st.integers(2, 15), n2=st.integers(2, 15))
def test_invariants(seed: int, n1: int, n2: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = activations(rng, n1 + n2, each=2), groups(rng, n1, n2)
    one, other = mann_whitney(values, labels), mann_whitney(values, ~labels)
    np.testing.assert_array_equal(one.u + other.u, np.full(len(one.u), n1 * n2))
    np.testing.assert_array_equal(one.auc, one.u / (n1 * n2))
    np.testing.assert_allclose(one.p, other.p, rtol=1e-12)
    assert ((one.p > 0) & (one.p <= 1)).all()
    brute = values[labels][:, None] - values[~labels][None]
    np.testing.assert_array_equal(one.u, (brute > 0).sum(axis=(0, 1)) + 0.5 * (brute == 0).sum(axis=(0, 1)))


@given(seed=SEEDS)
def test_a_rising_transformation_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = np.round(3 * rng.standard_normal((20, 6))), groups(rng, 9, 11)
    for rising in (np.exp(values), values**3, np.arctan(values)):
        np.testing.assert_array_equal(mann_whitney(rising, labels).u, mann_whitney(values, labels).u)


@pytest.mark.parametrize("kind", ["continuous", "tied"])
def test_shuffled_labels_give_the_nominal_level(kind: str) -> None:
    rng = np.random.default_rng(9)
    values, labels = rng.standard_normal((80, 20_000), dtype=np.float32), groups(rng, 40, 40)
    if kind == "tied":
        values = np.maximum(values, 0)
    rejected = int((mann_whitney(values, labels).p < 0.05).sum())
    low, high = scipy_stats.binom.interval(0.9999, 20_000, 0.05)
    assert 0.85 * low <= rejected <= high  # the continuity correction makes the test slightly cautious
