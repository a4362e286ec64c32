from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as scipy_stats
from hypothesis import given
from hypothesis import strategies as st

from actmax.errors import ActmaxError
from actmax.selectivity.compare import Labelled, validate
from actmax.selectivity.settings import Test
from actmax.stats.heldout import Concordance, Correction, concordance, split_by_document


def held_out(
    values: np.ndarray,
    labels: np.ndarray,
    half: np.ndarray,
    test: Test = "welch",
    correction: Correction = "bh",
) -> Concordance:
    find, hold = (Labelled(values[side], labels[side]) for side in (half, ~half))
    return validate(find, hold, test=test, correction=correction).concordance


def corpus(rng: np.random.Generator, documents: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    document = np.repeat(np.arange(documents), each)
    return document, rng.random(documents * each) < 0.4


@pytest.mark.parametrize("test", ["welch", "mann-whitney"])
def test_planted_units_hold_and_those_of_one_half_do_not(test: Test) -> None:
    rng = np.random.default_rng(1)
    document, labels = corpus(rng, 20, 20)
    half = split_by_document(document, labels, rng)
    values = rng.standard_normal((400, 300))
    values[:, :30] += labels[:, None] * 1.5
    values[:, 30:40] += (labels & half)[:, None] * 1.5  # only where one looks first
    values[:, 40:50] += (labels * np.where(half, 1.5, -1.5))[:, None]  # turns its sign
    result = held_out(values, labels, half, test=test)
    assert result.found[:50].all()
    assert result.held[:30].all()
    assert not result.held[30:].any()
    assert result.concordance == pytest.approx(30 / result.found.sum())
    assert 0.5 < result.concordance <= 0.6


def test_on_noise_hardly_anything_is_found() -> None:
    rng = np.random.default_rng(2)
    finds = 0
    for _ in range(200):
        document, labels = corpus(rng, 6, 10)
        half = split_by_document(document, labels, rng)
        finds += int(held_out(rng.standard_normal((60, 50)), labels, half).found.any())
    low, high = scipy_stats.binom.interval(0.9999, 200, 0.05)
    assert low <= finds <= high


def test_found_by_the_uncorrected_p_noise_holds_at_half_the_level() -> None:
    rng = np.random.default_rng(3)
    document, labels = corpus(rng, 10, 10)
    half = split_by_document(document, labels, rng)
    result = held_out(rng.standard_normal((100, 40_000)), labels, half, correction="none")
    found = int(result.found.sum())
    low, high = scipy_stats.binom.interval(0.9999, found, 0.025)
    assert low <= result.held.sum() <= high
    assert result.concordance == result.held.sum() / found


def test_concordance_of_two_sets_by_hand() -> None:
    effect_fit, effect_hold = np.array([3.0, 3, 3, 3, np.nan]), np.array([2.0, -2, 2, 2, 2])
    p_fit, p_hold = np.array([0.001, 0.001, 0.001, 0.5, np.nan]), np.array([0.01, 0.01, 0.2, 0.01, 0.01])
    result = concordance(effect_fit, p_fit, effect_hold, p_hold)
    assert result.found.tolist() == [True, True, True, False, False]
    assert result.held.tolist() == [True, False, False, False, False]
    assert result.concordance == pytest.approx(1 / 3)


def test_nothing_found_has_no_concordance() -> None:
    p = np.array([0.9, 0.8])
    assert np.isnan(concordance(p, p, p, p).concordance)


@given(
    seed=st.integers(0, 2**32 - 1),
    documents=st.integers(2, 30),
    each=st.integers(1, 8),
)
def test_a_document_is_never_on_both_sides(seed: int, documents: int, each: int) -> None:
    rng = np.random.default_rng(seed)
    document, labels = corpus(rng, documents, each)
    labels[0], labels[-1] = True, False
    labels[np.flatnonzero(document == 1)[0]] = True
    labels[np.flatnonzero(document == documents - 2)[-1]] = False
    holding = [len(np.unique(document[labels == label])) for label in (True, False)]
    if min(holding) < 2:
        with pytest.raises(ActmaxError, match=r"come from 1 document|needs at least 2|give samples of both"):
            split_by_document(document, labels, rng)
        return
    half = split_by_document(document, labels, rng)
    assert not set(document[half]) & set(document[~half])
    assert 0 < half.sum() < len(half)


def test_the_halves_are_balanced() -> None:
    rng = np.random.default_rng(4)
    document = rng.integers(0, 40, 1000) ** 2
    labels = rng.random(1000) < (document % 7 + 1) / 9
    half = split_by_document(document, labels, rng)
    for label in (True, False):
        assert 0.4 < half[labels == label].mean() < 0.6
    again = split_by_document(document, labels, np.random.default_rng(99))
    assert (again != half).any()


def test_a_half_without_a_group_is_refused() -> None:
    labels = np.array([True, True, False, False, False, False])
    half = np.array([True, True, True, True, False, False])
    with pytest.raises(ActmaxError, match="all 2 labels are False; give samples of both groups"):
        held_out(np.zeros((6, 1)), labels, half)
