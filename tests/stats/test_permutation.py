from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.stats as scipy_stats
from hypothesis import given
from hypothesis import strategies as st

from actmax.errors import ActmaxError
from actmax.stats import permutation
from actmax.stats.multiple import bonferroni
from actmax.stats.permutation import max_statistic, max_statistic_paired, paired_p, shuffled, welch_p
from actmax.stats.ttest import paired, welch
from tests.stats.data import activations, groups


def test_equals_a_loop_over_the_same_shuffles() -> None:
    rng = np.random.default_rng(1)
    values, labels = activations(rng, 30, each=3), groups(rng, 12, 18)
    values[labels, :4] += 0.8
    ours = max_statistic(values, labels, np.random.default_rng(5), permutations=200)
    np.testing.assert_allclose(ours.t, welch(values, labels).t, rtol=1e-8)
    t = np.array([welch(values, row).t for row in shuffled(labels, np.random.default_rng(5), 200)])
    np.testing.assert_allclose(ours.null_max, np.abs(t).max(axis=1), rtol=1e-8)
    reach = np.abs(ours.t) * (1 - 1e-8)
    np.testing.assert_allclose(ours.p, (1 + (np.abs(t) >= reach).sum(axis=0)) / 201, atol=1e-12)
    largest = np.abs(t).max(axis=1)[:, None]
    np.testing.assert_allclose(ours.p_family, (1 + (largest >= reach).sum(axis=0)) / 201, atol=1e-12)


def test_equals_scipys_exact_permutation_test() -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(9) < 4
    values = rng.standard_normal((9, 3)) + labels[:, None]

    def statistic(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(np.abs(scipy_stats.ttest_ind(x, y, axis=axis, equal_var=False).statistic))

    ours = max_statistic(values, labels, rng, permutations=20_000)
    for unit in range(3):
        x, y = values[labels, unit], values[~labels, unit]
        exact = scipy_stats.permutation_test((x, y), statistic, alternative="greater", vectorized=True).pvalue
        assert ours.p[unit] == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


def test_the_paired_null_flips_signs() -> None:
    rng = np.random.default_rng(3)
    second = rng.standard_normal((7, 4))
    first = second + rng.standard_normal((7, 4)) + np.array([0, 0, 1, 3])
    ours = max_statistic_paired(first, second, rng, permutations=20_000)
    np.testing.assert_allclose(ours.t, paired(first, second).t, rtol=1e-8)
    signs = 1 - 2 * ((np.arange(128)[:, None] >> np.arange(7)) & 1)
    t = scipy_stats.ttest_1samp(signs[:, :, None] * (first - second), 0, axis=1).statistic
    exact = (np.abs(t) >= np.abs(ours.t) * (1 - 1e-9)).mean(axis=0)
    np.testing.assert_allclose(ours.p, exact, atol=0.012)


def test_the_same_seed_gives_the_same_null_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    values, labels = rng.standard_normal((20, 300)), groups(rng, 10, 10)
    one = max_statistic(values, labels, np.random.default_rng(0), permutations=300)
    monkeypatch.setattr(permutation, "CHUNK_VALUES", 20)
    other = max_statistic(values, labels, np.random.default_rng(0), permutations=300)
    np.testing.assert_allclose(one.null_max, other.null_max, rtol=1e-12)
    np.testing.assert_array_equal(one.p_family, other.p_family)


def test_the_chance_of_any_false_discovery_is_the_level() -> None:
    rng = np.random.default_rng(6)
    shared = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 60)) + 0.3 * rng.standard_normal((40, 60))
    values = np.exp(shared).astype(np.float32)  # skewed, and units that move together
    runs = 400
    least = np.array(
        [max_statistic(values, groups(rng, 20, 20), rng, permutations=99).p_family.min() for _ in range(runs)]
    )
    low, high = scipy_stats.binom.interval(0.9999, runs, 0.05)
    assert low <= int((least <= 0.05).sum()) <= high


def test_correlated_planted_units_are_found_where_bonferroni_is_stricter() -> None:
    rng = np.random.default_rng(7)
    labels = groups(rng, 30, 30)
    values = np.repeat(rng.standard_normal((60, 10)), 200, axis=1) + 0.05 * rng.standard_normal((60, 2000))
    values[:, :200] += labels[:, None]
    ours = max_statistic(values, labels, rng, permutations=999)
    assert (ours.p_family[:200] <= 0.05).all()
    assert ours.p_family[:200].mean() < bonferroni(welch(values, labels).p)[:200].mean()
    assert (ours.p_family[200:] > 0.05).all()
    assert ((np.abs(ours.t) > ours.threshold(0.05)) == (ours.p_family <= 0.05)).all()
    assert ours.threshold(0.0001) == np.inf


@given(seed=st.integers(0, 2**32 - 1), samples=st.integers(2, 30))
def test_shuffles_keep_the_number_of_labels(seed: int, samples: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random(samples) < 0.5
    assert (shuffled(labels, rng, 10).sum(axis=1) == labels.sum()).all()


def test_shuffles_are_uniform() -> None:
    labels = np.array([True, False, False, True])
    seen = np.unique(shuffled(labels, np.random.default_rng(8), 6000), axis=0, return_counts=True)[1]
    assert len(seen) == 6
    assert np.abs(seen - 1000).max() < 150


@pytest.mark.parametrize(("n1", "n2"), [(2, 3), (12, 18)])
def test_the_p_values_of_labellings_are_those_of_the_tests(n1: int, n2: int) -> None:
    rng = np.random.default_rng(11)
    values = activations(rng, n1 + n2, each=3)
    values[:, 4] = 0.3  # constant: no p
    values[:, 7] = np.arange(n1 + n2) < n1  # no spread within the groups under the true labels
    labellings = shuffled(np.arange(n1 + n2) < n1, rng, 20)
    labellings[0] = np.arange(n1 + n2) < n1
    expected = np.stack([welch(values, row).p for row in labellings])
    np.testing.assert_allclose(welch_p(values, labellings), expected, rtol=1e-9, atol=1e-300)
    first, second = values[: n1 // 2 * 2], values[::-1][: n1 // 2 * 2]
    signs = rng.integers(0, 2, (20, len(first))) * 2.0 - 1
    expected = np.stack(
        [
            paired(np.where(row[:, None] > 0, first, second), np.where(row[:, None] > 0, second, first)).p
            for row in signs
        ]
    )
    np.testing.assert_allclose(paired_p(first, second, signs), expected, rtol=1e-9, atol=1e-300)


def test_no_permutations_are_refused() -> None:
    with pytest.raises(ActmaxError, match="0 permutations"):
        max_statistic(np.zeros((4, 1)), np.arange(4) < 2, np.random.default_rng(0), permutations=0)


def test_constant_units_are_never_found() -> None:
    values = np.full((12, 2), 0.1)
    values[:, 1] = np.arange(12)
    result = max_statistic(values, np.arange(12) < 6, np.random.default_rng(0), permutations=99)
    assert result.t[0] == 0
    assert result.p[0] == result.p_family[0] == 1


def test_memory_does_not_grow_with_the_units() -> None:
    rng = np.random.default_rng(10)
    labels = groups(rng, 100, 100)

    def peak(units: int) -> int:
        values = rng.standard_normal((200, units), dtype=np.float32)
        tracemalloc.start()
        max_statistic(values, labels, rng, permutations=64)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(100)
    # One float64 per unit and shuffle would be 512 bytes a unit; the results themselves are a tenth of that.
    assert peak(20_000) < peak(5_000) + 15_000 * 200
