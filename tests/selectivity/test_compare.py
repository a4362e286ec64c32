from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from actmax.errors import ActmaxError
from actmax.selectivity.compare import Labelled, chance, compare_groups, split, validate
from actmax.selectivity.confounds import confounds, covariates_of
from actmax.selectivity.sample import Sample
from actmax.selectivity.settings import SelectSettings, Test
from actmax.settings import from_text, settings_of

TESTS: tuple[Test, ...] = ("welch", "mann-whitney", "logistic", "paired")


def planted(
    samples: int = 120, units: int = 600, selective: int = 30, effect: float = 1.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((samples, units)).astype(np.float32)
    labels = np.arange(samples) < samples // 2
    values[labels, :selective] += effect
    return values, labels


@pytest.mark.parametrize("test", TESTS)
def test_planted_units_are_found_and_hold(test: Test) -> None:
    values, labels = planted()
    sites = np.repeat([0, 1], 300)
    result = compare_groups(values, labels, sites, test=test, correction="bonferroni")
    assert set(np.flatnonzero(result.significant)) >= set(range(25))
    assert result.significant[30:].sum() <= 2
    assert set(result.order[:20].tolist()) <= set(range(30))
    assert (result.statistic[:25] > 0).all()
    documents = [str(k % 60) for k in range(len(labels))]
    half, whole = split(documents, labels, test, np.random.default_rng(0))
    assert whole
    held = validate(Labelled(values[half], labels[half]), Labelled(values[~half], labels[~half]), test=test)
    assert held.concordance.found[:30].mean() > 0.8
    assert held.concordance.concordance > 0.8
    assert held.accuracy[:30].mean() > 0.7
    assert abs(held.accuracy[30:].mean() - 0.5) < 0.03


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("correction", ["bh", "bonferroni"])
def test_shuffled_labels_stay_at_the_level(test: Test, correction: str) -> None:
    values, labels = planted(units=2000, selective=0)
    result = compare_groups(values, labels, np.zeros(2000, dtype=np.int64), test=test, correction=correction)  # type: ignore[arg-type]
    assert result.significant.mean() <= 0.05
    by_chance = chance(values, labels, np.random.default_rng(0), test=test, permutations=100)
    assert 0.03 < by_chance.uncorrected.mean() < 0.07
    assert by_chance.significant <= 0.01
    assert by_chance.null is not None
    assert (by_chance.null.p_family <= 0.05).sum() <= 1


def test_the_p_value_is_the_librarys() -> None:
    values, labels = planted(units=12, selective=4)
    for test, expected in (
        ("welch", scipy_stats.ttest_ind(values[labels], values[~labels], equal_var=False).pvalue),
        ("paired", scipy_stats.ttest_rel(values[labels], values[~labels]).pvalue),
        ("mann-whitney", scipy_stats.mannwhitneyu(values[labels], values[~labels]).pvalue),
    ):
        result = compare_groups(values.astype(np.float64), labels, np.zeros(12, dtype=np.int64), test=test)  # type: ignore[arg-type]
        np.testing.assert_allclose(result.adjusted.p, expected, rtol=1e-4)


def test_the_logistic_statistic_is_the_root_of_the_likelihood_ratio() -> None:
    values, labels = planted(units=12, selective=4)
    result = compare_groups(values, labels, np.zeros(12, dtype=np.int64), test="logistic")
    p = 2 * scipy_stats.norm.sf(np.abs(result.statistic))
    np.testing.assert_allclose(p, result.adjusted.p, rtol=1e-6)


def test_a_separable_unit_is_first_and_a_constant_one_last() -> None:
    values, labels = planted(units=20, selective=0)
    values[:, 7] = 3.0
    values[:, 11] = np.where(labels, 5.0, -5.0) + values[:, 11] / 10
    for test in TESTS:
        order = compare_groups(values, labels, np.zeros(20, dtype=np.int64), test=test).order
        assert order[0] == 11
        assert order[-1] == 7


def test_scope_and_correction_choose_the_corrected_p() -> None:
    values, labels = planted(units=40, selective=5, effect=0.8)
    sites = np.repeat([0, 1, 2, 3], 10)
    welch = compare_groups(values, labels, sites).adjusted
    for correction in ("bh", "bonferroni"):
        for scope in ("model", "site"):
            got = compare_groups(values, labels, sites, correction=correction, scope=scope).corrected
            np.testing.assert_array_equal(got, getattr(welch, f"{correction}_{scope}"))
    np.testing.assert_array_equal(compare_groups(values, labels, sites, correction="none").corrected, welch.p)


@pytest.mark.parametrize(
    ("name", "word", "sentence"),
    [
        ("test", "t", "Unknown test 't'; choose welch"),
        ("correction", "holm", "Unknown correction 'holm'"),
        ("scope", "block", "Unknown scope 'block'"),
        ("alpha", "1.5", "alpha must be more than 0 and less than 1"),
    ],
)
def test_settings_that_mean_nothing(name: str, word: str, sentence: str) -> None:
    setting = next(one for one in settings_of(SelectSettings) if one.name == name)
    with pytest.raises(ActmaxError, match=sentence):
        SelectSettings(**{name: from_text(setting, word)})


def test_unequal_groups_cannot_be_paired() -> None:
    values, labels = planted()
    with pytest.raises(ActmaxError, match="one size"):
        compare_groups(values[:-1], labels[:-1], np.zeros(600, dtype=np.int64), test="paired")


def test_nan_is_a_sentence() -> None:
    values, labels = planted()
    values[3, 5] = np.nan
    with pytest.raises(ActmaxError, match="not finite"):
        compare_groups(values, labels, np.zeros(600, dtype=np.int64))


def test_constant_labels_are_a_sentence() -> None:
    values, _ = planted()
    with pytest.raises(ActmaxError, match="all 120 labels are True"):
        compare_groups(values, np.ones(120, dtype=bool), np.zeros(600, dtype=np.int64))


@pytest.mark.parametrize("test", ["welch", "paired"])
def test_a_split_keeps_documents_and_pairs_together(test: Test) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(80) < 40
    documents = [str(k) for k in rng.integers(0, 25, 80)]
    half, whole = split(documents, labels, test, rng)
    if whole:
        for name in set(documents):
            assert len({bool(half[k]) for k in range(80) if documents[k] == name}) == 1
    if test == "paired":
        assert (half[labels] == half[~labels]).all()
    assert 20 <= half.sum() <= 60


def test_one_document_is_split_by_sample() -> None:
    labels = np.arange(40) < 20
    half, whole = split(["d"] * 40, labels, "welch", np.random.default_rng(0))
    assert not whole
    assert half[labels].sum() == 10


def word(length: int, ident: int, start: int = 0) -> Sample:
    return Sample(tuple([1] * start + [ident]), start, start + 1, "x" * length, "x", f"d{ident}")


def test_a_planted_confound_is_exposed_by_the_partial_correlation() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(400) < 200
    lengths = np.where(labels, 7, 4) + rng.integers(0, 4, 400)
    samples = [word(int(n), 2, int(start)) for n, start in zip(lengths, rng.integers(0, 9, 400), strict=True)]
    noise = rng.standard_normal((400, 3))
    values = np.stack([lengths + noise[:, 0], 2.0 * labels + noise[:, 1], noise[:, 2]], axis=1)
    covariates = covariates_of(samples, None)
    assert set(covariates) == {"length", "position"}
    result = confounds(values, labels, covariates)
    assert result.group_partial is not None
    assert result.group.r[0] > 0.6, "a unit of length looks selective"
    assert abs(result.group_partial.r[0]) < 0.1, "and is not, with length held constant"
    assert result.group_partial.r[1] > 0.4, "a selective unit still is"
    length = result.covariates["length"]
    assert length.partial is not None
    assert length.partial.r[0] > 0.6


def test_frequency_is_counted_in_the_corpus() -> None:
    from tests.selectivity.corpora import corpus

    tokens = corpus()
    ids = sorted({int(i) for i in tokens.ids})[:5]
    samples = [word(3, ident) for ident in ids]
    counts = [int((np.asarray(tokens.ids) == ident).sum()) for ident in ids]
    np.testing.assert_allclose(covariates_of(samples, tokens)["frequency"], np.log10(1 + np.array(counts)))


def test_a_covariate_that_is_the_group_leaves_nothing() -> None:
    labels = np.arange(40) < 20
    samples = [word(5 if label else 3, 2) for label in labels]
    result = confounds(
        np.random.default_rng(0).standard_normal((40, 2)), labels, covariates_of(samples, None)
    )
    assert result.group_partial is None
