from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as scipy_stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from actmax.errors import ActmaxError
from actmax.stats.multiple import adjust, benjamini_hochberg, bonferroni
from actmax.stats.ttest import welch
from tests.stats.data import groups

SEEDS = st.integers(0, 2**32 - 1)


def p_values(seed: int, units: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    p = rng.random(units) ** rng.choice([1, 4, 60], units)
    p[rng.random(units) < 0.2] = p[0]  # ties
    return np.asarray(p)


@given(seed=SEEDS, units=st.integers(1, 60), sites=st.integers(1, 5))
def test_equals_statsmodels_within_a_site_and_over_the_model(seed: int, units: int, sites: int) -> None:
    p = p_values(seed, units)
    site = np.random.default_rng(seed).integers(0, sites, units) * 7 - 3
    ours = adjust(p, site)
    np.testing.assert_allclose(ours.bonferroni_model, multipletests(p, method="bonferroni")[1], rtol=1e-12)
    np.testing.assert_allclose(ours.bh_model, multipletests(p, method="fdr_bh")[1], rtol=1e-12)
    for name in np.unique(site):
        here = site == name
        theirs = multipletests(p[here], method="bonferroni")[1]
        np.testing.assert_allclose(ours.bonferroni_site[here], theirs, rtol=1e-12)
        np.testing.assert_allclose(ours.bh_site[here], multipletests(p[here], method="fdr_bh")[1], rtol=1e-12)


@given(seed=SEEDS, units=st.integers(1, 60))
def test_invariants(seed: int, units: int) -> None:
    p = p_values(seed, units)
    bh, strict = benjamini_hochberg(p), bonferroni(p)
    more = 1 + 1e-12
    assert ((p <= bh * more) & (bh <= strict * more) & (strict <= 1)).all()
    order = np.argsort(p)
    assert (np.diff(bh[order]) >= 0).all()
    shuffle = np.random.default_rng(seed).permutation(units)
    np.testing.assert_array_equal(benjamini_hochberg(p[shuffle]), bh[shuffle])
    smaller = p.copy()
    smaller[seed % units] /= 2
    assert (benjamini_hochberg(smaller) <= bh * more).all()


@given(seed=SEEDS, units=st.integers(2, 40))
def test_units_that_were_not_tested_do_not_count(seed: int, units: int) -> None:
    p = p_values(seed, units)
    missing = np.random.default_rng(seed).random(units) < 0.3
    holed = np.where(missing, np.nan, p)
    for correct in (bonferroni, benjamini_hochberg):
        result = correct(holed)
        assert np.isnan(result[missing]).all()
        np.testing.assert_array_equal(result[~missing], correct(p[~missing]))


def test_no_units() -> None:
    assert adjust(np.empty(0)).bh_model.shape == (0,)


@pytest.mark.parametrize("bad", [-0.1, 1.1])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(ActmaxError, match="outside 0 to 1"):
        adjust(np.array([0.5, bad]))


def test_site_numbers_must_match() -> None:
    with pytest.raises(Exception, match=r"one for each unit|'units'"):
        adjust(np.array([0.5, 0.1]), np.array([0, 0, 1]))


def test_shuffled_labels_give_no_more_discoveries_than_promised() -> None:
    rng = np.random.default_rng(11)
    runs, site = 300, np.repeat(np.arange(4), 50)
    found = np.zeros(4)
    for _ in range(runs):
        ours = adjust(welch(rng.standard_normal((40, 200)), groups(rng, 20, 20)).p, site)
        columns = (
            ours.bonferroni_model,
            ours.bh_model,
            ours.bonferroni_site[site == 2],
            ours.bh_site[site == 2],
        )
        found += [(column <= 0.05).any() for column in columns]
    low, high = scipy_stats.binom.interval(0.9999, runs, 0.05)
    assert (found >= low).all()
    assert (found <= high).all()


def test_planted_units_are_found_at_the_promised_false_discovery_rate() -> None:
    rng = np.random.default_rng(12)
    labels = groups(rng, 50, 50)
    shares, power = [], []
    for _ in range(40):
        values = rng.standard_normal((100, 500))
        values[:, :50] += labels[:, None] * 1.2
        found = benjamini_hochberg(welch(values, labels).p) <= 0.1
        shares.append(found[50:].sum() / max(found.sum(), 1))
        power.append(found[:50].mean())
    assert np.mean(power) > 0.95
    assert 0.05 < np.mean(shares) < 0.12
