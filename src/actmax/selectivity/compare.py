"""Two groups of samples compared in every unit, with all that is needed to believe it or not.

1. Every unit is tested by Welch's t (or the paired t), by ranks and by logistic regression; the test that
   was asked for gives the p-value that is corrected and ranked by.
2. Held out: units found on half of the documents are tested on the other half, and the accuracy of each
   unit's threshold, fitted on the first half, is taken on the second.
3. Chance: the largest statistic under shuffled labels, and the share of units that shuffled labels make
   significant by the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from actmax.errors import ActmaxError
from actmax.selectivity.settings import Scope, Test
from actmax.stats.effect import Effect, cohens_d, cohens_d_paired
from actmax.stats.heldout import CORRECTIONS, Concordance, Correction, concordance, split_by_document
from actmax.stats.logistic import Logistic, Status, logistic, predict
from actmax.stats.multiple import Adjusted, adjust
from actmax.stats.permutation import PermutationNull, max_statistic, max_statistic_paired, paired_p, welch_p
from actmax.stats.ranks import MannWhitney, mann_whitney, rank_tests
from actmax.stats.samples import Flags, Labellings, Labels, Order, PerUnit, Values
from actmax.stats.ttest import TTest, paired, welch


@dataclass(frozen=True)
class Comparison:
    """Every statistic of every unit; positive means that the first group is higher."""

    mean_a: PerUnit
    mean_b: PerUnit
    ttest: TTest
    effect: Effect
    ranks: MannWhitney
    logistic: Logistic
    statistic: PerUnit
    """Of the test that was asked for: t, AUC minus one half, or the signed root of the likelihood ratio."""
    adjusted: Adjusted
    corrected: PerUnit
    """By the correction and scope that were asked for."""
    significant: Flags
    order: Order
    """The units from the most to the least selective: by p, then by the size of d."""


def compare_groups(
    values: Values,
    labels: Labels,
    sites: Int[np.ndarray, " units"],
    *,
    test: Test = "welch",
    alpha: float = 0.05,
    correction: Correction = "bh",
    scope: Scope = "model",
) -> Comparison:
    """Test every unit. ``labels`` is True for the first group; for ``paired``, sample i of one group belongs
    to sample i of the other.

    Raises:
        ActmaxError: groups too small or not matched, or a value that is not finite.
    """
    if test == "paired":
        first, second = _matched(values, labels)
        ttest, effect = paired(first, second), cohens_d_paired(first, second)
    else:
        ttest, effect = welch(values, labels), cohens_d(values, labels)
    ranks, fits = mann_whitney(values, labels), logistic(values, labels)
    statistic, p = _chosen(test, labels, ttest, ranks, fits)
    adjusted = adjust(p, sites)
    corrected = {
        ("bh", "model"): adjusted.bh_model,
        ("bh", "site"): adjusted.bh_site,
        ("bonferroni", "model"): adjusted.bonferroni_model,
        ("bonferroni", "site"): adjusted.bonferroni_site,
    }.get((correction, scope), p)
    size = np.nan_to_num(np.abs(effect.d), nan=-1.0, posinf=np.inf)
    return Comparison(
        mean_a=values[labels].mean(axis=0, dtype=np.float64),
        mean_b=values[~labels].mean(axis=0, dtype=np.float64),
        ttest=ttest,
        effect=effect,
        ranks=ranks,
        logistic=fits,
        statistic=statistic,
        adjusted=adjusted,
        corrected=corrected,
        significant=corrected <= alpha,
        order=np.lexsort((-size, np.nan_to_num(p, nan=2.0))),
    )


@dataclass(frozen=True)
class Validation:
    """Units found on one set of samples and tested on another."""

    concordance: Concordance
    accuracy: PerUnit
    """Of each unit's threshold on the samples that it was not fitted to; NaN for a unit that is constant."""
    likelihood: PerUnit
    """Log-likelihood of each unit's fit on the finding set: what a best unit is chosen by."""


@dataclass(frozen=True)
class Labelled:
    """Samples of both groups."""

    values: Values
    labels: Labels
    """True for the first group."""


def validate(
    find: Labelled,
    hold: Labelled,
    *,
    test: Test = "welch",
    alpha: float = 0.05,
    correction: Correction = "bh",
) -> Validation:
    """Find units on one set, test them on the other."""
    effects = []
    for one in (find, hold):
        values, labels = one.values, one.labels
        if test == "paired":
            result = paired(*_matched(values, labels))
            effects.append((result.t, result.p))
        elif test == "welch":
            result = welch(values, labels)
            effects.append((result.t, result.p))
        elif test == "mann-whitney":
            ranks = mann_whitney(values, labels)
            effects.append(_chosen(test, labels, None, ranks, None))
        else:
            effects.append(_chosen(test, labels, None, None, logistic(values, labels)))
    fits = logistic(find.values, find.labels)
    right = predict(hold.values, fits) == hold.labels[:, None]
    accuracy = np.where(fits.status == Status.CONSTANT, np.nan, right.mean(axis=0))
    return Validation(concordance(*effects[0], *effects[1], alpha, correction), accuracy, fits.log_likelihood)


def split(
    documents: Sequence[str], labels: Labels, test: Test, rng: np.random.Generator
) -> tuple[Bool[np.ndarray, " samples"], bool]:
    """The samples of the half used for finding, and whether whole documents were kept together.

    Samples of one document go to one side. Where a group comes from a single document that cannot be; the
    samples are then divided as they are. Pairs of a paired test stay together in any case.
    """
    number = np.unique(np.asarray(documents), return_inverse=True)[1].astype(np.int64)
    if test == "paired":
        number = _tied(number, labels)
    try:
        return split_by_document(number, labels, rng), True
    except ActmaxError:
        if test == "paired":
            pair = np.empty(len(labels), dtype=np.int64)
            pair[labels] = pair[~labels] = np.arange(np.count_nonzero(labels))
            return split_by_document(pair, labels, rng), False
        return split_by_document(np.arange(len(labels)), labels, rng), False


def _tied(number: Int[np.ndarray, " samples"], labels: Labels) -> Int[np.ndarray, " samples"]:
    """Documents renumbered so that the two samples of every pair share one."""
    group = np.arange(int(number.max()) + 1)

    def root(k: int) -> int:
        while group[k] != k:
            k = int(group[k])
        return k

    for one, other in zip(number[labels], number[~labels], strict=True):
        group[root(int(one))] = root(int(other))
    return np.array([root(int(k)) for k in number], dtype=np.int64)


@dataclass(frozen=True)
class ShuffledLabels:
    """What the same rules find where there is nothing to find."""

    null: PermutationNull | None
    """The largest ``|t|`` of shuffled labels; None where none was asked for."""
    uncorrected: PerUnit
    """Share of shuffles in which each unit has p at most alpha, before correction."""
    significant: float
    """Share of units that are significant under shuffled labels, after correction."""


SHUFFLES = 40
"""Shuffled labelings of which the shares are the mean. Units are correlated, so that each shuffle alone gives
anything from almost none to twice the level or more."""

SLOW_SHUFFLES = 5
"""The same for the tests by ranks and by logistic regression."""


def chance(
    values: Values,
    labels: Labels,
    rng: np.random.Generator,
    *,
    test: Test = "welch",
    alpha: float = 0.05,
    correction: Correction = "bh",
    permutations: int = 200,
) -> ShuffledLabels:
    """Shuffle the labels (exchange the members of pairs for ``paired``) and count what is found."""
    matched = _matched(values, labels) if test == "paired" else None
    shuffles = SHUFFLES if test in ("welch", "paired") else SLOW_SHUFFLES
    if matched is not None:
        signs = np.stack([1.0 - 2 * rng.integers(0, 2, len(matched[0])) for _ in range(shuffles)])
        p = paired_p(*matched, signs)
    else:
        labellings = np.stack([rng.permutation(labels) for _ in range(shuffles)])
        p = _shuffled_p(values, labellings, test)
    shares = [np.mean(CORRECTIONS[correction](row) <= alpha) for row in p]
    null = None
    if permutations and matched is not None:
        null = max_statistic_paired(*matched, rng, permutations)
    elif permutations:
        null = max_statistic(values, labels, rng, permutations)
    return ShuffledLabels(null, np.mean(p <= alpha, axis=0), float(np.mean(shares)))


def _shuffled_p(values: Values, labellings: Labellings, test: Test) -> Float[np.ndarray, "labellings units"]:
    """The p-value of every unit under each labelling; NaN for a constant unit."""
    if test == "welch":
        return welch_p(values, labellings)
    if test == "mann-whitney":
        _, p, constant = rank_tests(values, labellings)
        return np.where(constant, np.nan, p)
    return np.stack([logistic(values, row).p_ratio for row in labellings])


def _chosen(
    test: Test, labels: Labels, ttest: TTest | None, ranks: MannWhitney | None, fits: Logistic | None
) -> tuple[PerUnit, PerUnit]:
    """The signed statistic and the p-value of the test that was asked for; p is NaN for a constant unit."""
    if test == "mann-whitney" and ranks is not None:
        return ranks.auc - 0.5, np.where(ranks.constant, np.nan, ranks.p)
    if test == "logistic" and fits is not None:
        null = _null_likelihood(labels)
        ratio = np.maximum(2 * (fits.log_likelihood - null), 0.0)
        return np.sign(fits.slope) * np.sqrt(ratio), fits.p_ratio
    if ttest is None:
        raise ValueError(f"no statistic for {test}")
    return ttest.t, ttest.p


def _null_likelihood(labels: Labels) -> float:
    """Of a fit that knows only how many samples each group has."""
    n, n1 = len(labels), int(np.count_nonzero(labels))
    return n1 * float(np.log(n1 / n)) + (n - n1) * float(np.log(1 - n1 / n))


def _matched(
    values: Values, labels: Labels
) -> tuple[Float[np.ndarray, "pairs units"], Float[np.ndarray, "pairs units"]]:
    first, second = values[labels], values[~labels]
    if len(first) != len(second):
        raise ActmaxError(
            f"a paired test needs groups of one size and these have {len(first)} and {len(second)} samples;"
            " use --test welch."
        )
    return first, second
