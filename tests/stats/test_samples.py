from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from actmax.errors import ActmaxError
from actmax.stats.effect import cohens_d
from actmax.stats.logistic import logistic
from actmax.stats.permutation import max_statistic
from actmax.stats.ranks import mann_whitney
from actmax.stats.samples import LEAST_UNITS, chunk_units, chunks, first_group_first, group_sizes
from actmax.stats.ttest import welch
from tests.stats.data import activations, groups


def shuffled(values: Any, labels: Any) -> Any:
    return max_statistic(values, labels, np.random.default_rng(0), permutations=20)


EVERY = pytest.mark.parametrize("test", [welch, cohens_d, mann_whitney, logistic, shuffled])
Test = Callable[[Any, Any], Any]


@EVERY
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named_in_one_sentence(test: Test, bad: float) -> None:
    rng = np.random.default_rng(0)
    values, labels = activations(rng, 20, each=30), groups(rng, 8, 12)
    values[7, 130] = bad
    with pytest.raises(
        ActmaxError, match=r"^the activation of unit 130 in sample 7 is .*; leave out"
    ) as error:
        test(values, labels)
    assert "\n" not in str(error.value)


def test_opposite_infinities_are_found_too() -> None:
    values = np.zeros((4, 2), dtype=np.float32)
    values[1, 1], values[2, 1] = np.inf, -np.inf
    with pytest.raises(ActmaxError, match="unit 1 in sample 1"):
        welch(values, np.array([True, True, False, False]))


@EVERY
def test_a_group_of_one_is_refused(test: Test) -> None:
    values = np.zeros((5, 2))
    with pytest.raises(
        ActmaxError, match="the group labelled True has 1 sample and needs at least 2; add samples"
    ):
        test(values, np.arange(5) == 3)


@EVERY
@pytest.mark.parametrize("label", [True, False])
def test_constant_labels_are_refused(test: Test, label: bool) -> None:
    with pytest.raises(ActmaxError, match=f"all 5 labels are {label}; give samples of both groups"):
        test(np.zeros((5, 2)), np.full(5, label))


@EVERY
def test_no_samples_are_refused(test: Test) -> None:
    with pytest.raises(ActmaxError, match="has 0 samples and needs"):
        test(np.zeros((0, 2)), np.zeros(0, dtype=bool))


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(Exception, match=r"one label per sample|'samples'"):
        group_sizes(np.zeros((5, 2)), np.zeros(4, dtype=bool))


def test_chunks_are_the_units_in_order() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((9, 1000)).astype(np.float16)
    labels = groups(rng, 4, 5)
    order = first_group_first(labels)
    parts = list(chunks(values, order, chunk_values=900))
    assert [where.start for where, _ in parts] == list(range(0, 1000, 100))
    together = np.concatenate([chunk for _, chunk in parts], axis=1)
    assert together.dtype == np.float64
    assert (together[:4] == values[labels]).all()
    assert (together[4:] == values[~labels]).all()


def test_chunks_never_write_to_the_activations() -> None:
    values = np.random.default_rng(2).standard_normal((8, 10))
    before = values.copy()
    for _, chunk in chunks(values):
        chunk += 1
    assert (values == before).all()


def test_a_chunk_of_many_samples_still_holds_some_units() -> None:
    assert chunk_units(10**7) == LEAST_UNITS
    assert chunk_units(0) > LEAST_UNITS


@EVERY
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_the_type_of_the_activations_does_not_matter(test: Test, dtype: str) -> None:
    rng = np.random.default_rng(3)
    labels = groups(rng, 12, 15)
    values = np.round(100 * rng.standard_normal((27, 40))).astype(dtype)
    one, other = test(values, labels), test(values.astype(np.float32), labels)
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@EVERY
def test_no_units_give_empty_results(test: Test) -> None:
    result = test(np.zeros((6, 0)), np.arange(6) < 3)
    assert vars(result)[next(iter(vars(result)))].shape == (0,)
