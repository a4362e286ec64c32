from __future__ import annotations

import numpy as np
import pytest

from actmax.errors import ActmaxError
from actmax.stats.probe import probe
from tests.stats.data import groups


def test_several_weak_units_beat_the_best_one() -> None:
    rng = np.random.default_rng(1)
    labels = groups(rng, 100, 120)
    values = rng.standard_normal((220, 60)).astype(np.float32)
    values[:, :6] += labels[:, None] * 1.2
    result = probe(values, labels, np.random.default_rng(0))
    assert result.accuracy > result.single_accuracy + 0.1 > result.majority
    assert set(result.units[:6]) == set(range(6))
    assert (result.weights[:6] > 0).all()
    assert np.isin(result.fold_single, range(6)).all()
    assert result.fold_sizes.sum() == 220
    assert result.accuracy == pytest.approx((result.fold_accuracy * result.fold_sizes).sum() / 220)
    assert result.converged


def test_one_unit_that_separates_is_not_beaten() -> None:
    rng = np.random.default_rng(2)
    labels = groups(rng, 30, 30)
    values = rng.standard_normal((60, 40))
    values[:, 17] = 10 * labels - 500
    result = probe(values, labels, np.random.default_rng(0))
    assert result.accuracy == result.single_accuracy == 1
    assert (result.fold_single == 17).all()
    assert result.units[0] == 17


def test_noise_scores_at_chance_because_choices_stay_inside_the_folds() -> None:
    # With 3,000 units some fit 60 samples well; scored where they were chosen they would reach about 0.7.
    rng = np.random.default_rng(3)
    scores = []
    for _ in range(8):
        result = probe(rng.standard_normal((60, 3000)), groups(rng, 30, 30), rng, candidates=32)
        scores.append((result.accuracy, result.single_accuracy))
    assert (np.abs(np.mean(scores, axis=0) - 0.5) < 0.08).all()


def test_samples_of_a_document_stay_in_one_fold() -> None:
    # Every document has a fingerprint; a probe that saw another sample of it would know the label.
    rng = np.random.default_rng(4)
    document = np.repeat(np.arange(30), 6)
    labels = rng.permutation(np.arange(30) < 15)[document]
    values = rng.standard_normal((30, 200))[document] + 0.01 * rng.standard_normal((180, 200))
    free = probe(values, labels, np.random.default_rng(0))
    held = probe(values, labels, np.random.default_rng(0), documents=document)
    assert free.accuracy > 0.95
    assert held.accuracy < 0.8


def test_the_same_seed_gives_the_same_probe() -> None:
    rng = np.random.default_rng(5)
    labels, values = groups(rng, 20, 25), rng.standard_normal((45, 30))
    one, other = (probe(values, labels, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.fold_accuracy, other.fold_accuracy)


def test_constant_units_do_no_harm() -> None:
    rng = np.random.default_rng(6)
    labels = groups(rng, 15, 15)
    values = np.full((30, 5), 0.1)
    values[:, 2] = labels + rng.standard_normal(30)
    result = probe(values, labels, rng, folds=3)
    assert set(result.units) <= {2}
    assert (result.fold_single == 2).all()


def test_too_few_samples_or_documents_for_the_folds_are_refused() -> None:
    rng = np.random.default_rng(8)
    with pytest.raises(ActmaxError, match=r"the smaller group has 3 samples.* ask for fewer folds"):
        probe(rng.standard_normal((20, 2)), np.arange(20) < 3, rng)
    with pytest.raises(ActmaxError, match="ask for fewer folds"):
        probe(rng.standard_normal((20, 2)), np.arange(20) < 10, rng, documents=np.arange(20) // 5)
