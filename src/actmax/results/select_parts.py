"""The parts of a ``select`` result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from actmax.results.shown import Count, Keywords, Shown, View

BOTH: tuple[View, ...] = ("page", "terminal")


@dataclass(frozen=True)
class Quote:
    """One sample as it stood in its text."""

    before: str
    """Text in front of the target."""
    text: str
    """The target."""
    after: str
    """Text that follows it."""
    document: str
    """Where it is from."""


@dataclass(frozen=True)
class GroupRead:
    """One of the two groups, as it was read."""

    name: str
    """As it was written."""
    meaning: str
    """What it is, in a phrase."""
    samples: int
    """Samples that were compared."""
    total: int
    """Samples that there were to draw from."""
    documents: int
    """Documents that the samples are from."""
    sinks: int
    """Samples left out because their target is an attention sink."""
    missing: tuple[str, ...]
    """Words of a list that never occur."""
    quotes: tuple[Quote, ...]
    """Some of the samples."""


@dataclass(frozen=True)
class UnitSelectivity:
    """One unit: a row of the table of all units, whose columns are in ``statistics.safetensors``.

    Positive numbers mean that group a is higher. NaN is what could not be computed. An infinite number (of a
    unit that is constant within both groups) is null in JSON and infinite in the tensors, from which loading
    takes it.
    """

    rank: Annotated[Count, Shown("rank", "place by p, then by the size of d", "count", ())]
    unit: Annotated[str, Shown("unit", "its name, as every other command takes it", views=BOTH)]
    site: str
    index: Count
    layer: int | None
    mean_a: Annotated[float, Shown("mean in a", "activation, mean over the samples of a", views=())]
    mean_b: Annotated[float, Shown("mean in b", "activation, mean over the samples of b", views=())]
    d: Annotated[
        float,
        Shown(
            "d",
            "difference of the group means over the pooled standard deviation; positive: a is higher",
            views=BOTH,
        ),
    ]
    d_low: Annotated[float, Shown("d, from", "lower end of its 95 % confidence interval")]
    d_high: Annotated[float, Shown("d, to", "upper end of its 95 % confidence interval")]
    auc: Annotated[
        float,
        Shown("AUC", "chance that a sample of a is higher than one of b; 0.5 is no difference", ".3f", BOTH),
    ]
    t: Annotated[float, Shown("t", "of Welch's test (of the paired test where it was asked for)", views=())]
    df: Annotated[float, Shown("df", "degrees of freedom of t", views=())]
    p: Annotated[float, Shown("p", "of the test that was asked for, uncorrected", "p", ())]
    p_corrected: Annotated[
        float,
        Shown("p, corrected", "of the test that was asked for, corrected for the units tested", "p", BOTH),
    ]
    p_permutation: Annotated[
        float, Shown("p, shuffled", "corrected for all units by shuffled labels", "p", ())
    ]
    significant: Annotated[bool, Shown("significant", "corrected p at most alpha", views=())]
    slope: Annotated[
        float, Shown("slope", "of the logistic regression of the group on the activation", views=())
    ]
    p_slope: Annotated[
        float, Shown("p of the slope", "Wald's test; NaN where there is no fit (see fit)", "p", ())
    ]
    p_logistic: Annotated[
        float, Shown("p, logistic", "likelihood-ratio test, which a separable unit has too", "p", ())
    ]
    fit: Annotated[
        str,
        Shown(
            "fit",
            "ok; separable or quasi-separable (up to ties), where a threshold tells the groups apart and the"
            " slope is infinite; constant, where nothing can be fitted; unconverged, where numbers are"
            " approximate",
            views=(),
        ),
        Keywords(enum=["ok", "constant", "separable", "quasi-separable", "unconverged"]),
    ]
    accuracy: Annotated[
        float,
        Shown("accuracy", "of the unit's threshold on the samples that it was fitted to", "percent", ()),
    ]
    accuracy_held: Annotated[
        float,
        Shown(
            "accuracy, held out",
            "of a threshold fitted to the finding half, on the other half",
            "percent",
            BOTH,
        ),
    ]
    held: Annotated[
        bool, Shown("holds", "found on one half, and significant with the same sign on the other")
    ]
    statistic_found: Annotated[float, Shown("statistic, found", "on the finding half", views=())]
    statistic_held: Annotated[float, Shown("statistic, held out", "on the other half", views=())]
    r: Annotated[float, Shown("r", "correlation with the group", views=BOTH)]
    r_partial: Annotated[
        float,
        Shown(
            "r, partial",
            "the same with length, frequency and position held constant, where they vary",
            views=BOTH,
        ),
    ]
    r_length: Annotated[float, Shown("r, length", "correlation with the target's length", views=())] = (
        math.nan
    )
    r_length_partial: Annotated[
        float, Shown("r, length, partial", "with the other two held constant", views=())
    ] = math.nan
    r_frequency: Annotated[
        float, Shown("r, frequency", "correlation with the target's frequency in the corpus", views=())
    ] = math.nan
    r_frequency_partial: Annotated[
        float, Shown("r, frequency, partial", "with the other two held constant", views=())
    ] = math.nan
    r_position: Annotated[float, Shown("r, position", "correlation with the target's position", views=())] = (
        math.nan
    )
    r_position_partial: Annotated[
        float, Shown("r, position, partial", "with the other two held constant", views=())
    ] = math.nan
    p_t: Annotated[float, Shown("p of t", "of the t-test, uncorrected", "p", ())] = math.nan
    p_mann_whitney: Annotated[
        float, Shown("p, Mann-Whitney", "of the test by ranks, uncorrected", "p", ())
    ] = math.nan
    p_bh_site: Annotated[float, Shown("p, BH, site", "Benjamini-Hochberg, within the site", "p", ())] = (
        math.nan
    )
    p_bh_model: Annotated[float, Shown("p, BH", "Benjamini-Hochberg, over all units", "p", ())] = math.nan
    p_bonferroni_site: Annotated[
        float, Shown("p, Bonferroni, site", "Bonferroni, within the site", "p", ())
    ] = math.nan
    p_bonferroni_model: Annotated[float, Shown("p, Bonferroni", "Bonferroni, over all units", "p", ())] = (
        math.nan
    )


def from_before(unit: Mapping[str, Any]) -> dict[str, Any]:
    """A unit of a file, with the correlations as version 0.1 wrote them (two objects) in their columns."""
    known = {
        f"r_{name}{ending}": value
        for key, ending in (("correlates", ""), ("correlates_partial", "_partial"))
        for name, value in unit.get(key, {}).items()
    }
    return known | dict(unit)


@dataclass(frozen=True)
class Layer:
    """One site, over all its units."""

    site: str
    """Name of the site."""
    layer: int | None
    """Its block; null for a site outside the blocks."""
    units: int
    """Units of the site."""
    significant: int
    """Units that are significant."""
    share: float
    """Of its units that are significant."""
    chance_share: float
    """The same under shuffled labels, before correction; the level is what it should be."""
    held: int
    """Units found on one half that hold on the other."""
    median_d: float
    """Median of the absolute d over the site's units."""
    best: str
    """The unit that tells the groups apart best on the finding half."""
    accuracy: float
    """Its accuracy on the other half."""
    mean_accuracy: float
    """The mean accuracy on the other half of the units found on the first."""
    survive: float
    """Share of its significant units whose correlation with the group is significant (p below alpha,
    uncorrected) with the covariates held constant."""
    correlates: Mapping[str, float]
    """Root mean square over units of the correlation with each covariate."""
    correlates_partial: Mapping[str, float]
    """The same with the other covariates held constant."""


@dataclass(frozen=True)
class Point:
    """One unit in two sets."""

    unit: str
    """Its name."""
    found: float
    """Its statistic on the set used for finding."""
    held: float
    """Its statistic on the other."""
    holds: bool | None
    """None for a unit that was not found."""


@dataclass(frozen=True)
class HeldOut:
    """Units found on one set and tested on another."""

    kind: Annotated[str, Keywords(enum=["documents", "words", "samples", "second set"])]
    """``documents``: halves of the same text without a document in common; ``words``: without a word in
    common; ``samples``: halves that may share both; ``second set``: texts of their own."""
    samples_found: int
    """Samples of the finding set."""
    samples_held: int
    """Samples of the other set."""
    found: int
    """Units significant on the first set."""
    held: int
    """Of them significant with the same sign on the second."""
    concordance: float
    """``held / found``; None in JSON where nothing was found."""
    same_sign: float
    """Share of the found units with the same sign on the second set; chance is one half."""
    points: tuple[Point, ...]
    """All found units (up to 400) and some others, for the picture."""


@dataclass(frozen=True)
class Chance:
    """What shuffled labels give."""

    permutations: int
    """Shuffles of the labels; 0 where none was asked for."""
    threshold: float
    """The ``|t|`` that the best unit of a shuffle reaches in a share alpha of the shuffles."""
    beyond: int
    """Units that reach it."""
    uncorrected: float
    """Share of units significant under shuffled labels before correction: alpha, if the test is right."""
    significant: float
    """The same after correction."""


@dataclass(frozen=True)
class ProbeWeight:
    """One unit of the probe."""

    unit: str
    """Its name."""
    weight: float
    """Per standard deviation of the unit; positive where more means group a."""


@dataclass(frozen=True)
class Probed:
    """Several units together against the best one, on documents that neither had seen."""

    accuracy: float
    """Of the probe, on the documents of each fold."""
    single_accuracy: float
    """Of the best single unit, on the same documents."""
    majority: float
    """Accuracy of always naming the larger group."""
    folds: int
    """Folds of the cross-validation."""
    used: float
    """Units with a weight, mean over the folds."""
    weights: tuple[ProbeWeight, ...]
    """The strongest of a probe fitted to all samples."""


@dataclass(frozen=True)
class Context:
    """What context, the leading space and the blocks do to a group's vectors: medians over its tokens.

    Depth 0 is the embedding, depth i the output of block i - 1.
    """

    group: str
    """Name of the group."""
    samples: int
    """Targets that were followed."""
    context_distance: tuple[float, ...]
    """Of a token in context from the same token by itself, over its norm; by depth."""
    context_cosine: tuple[float, ...]
    """Of the two, by depth."""
    space_distance: tuple[float, ...]
    """Between the token with its leading space and without, over its norm; by depth."""
    space_cosine: tuple[float, ...]
    """Of the two, by depth."""
    path: tuple[float, ...]
    """Length of the way through the blocks so far, in context; by depth."""
    path_alone: tuple[float, ...]
    """The same for the token by itself."""
    straight: tuple[float, ...]
    """Straight distance from the embedding, in context; by depth."""
    alone_over_context: tuple[float, ...] = ()
    """Norm alone over norm in context; far above 1 where a token alone after BOS is half a sink."""


@dataclass(frozen=True)
class UnitRow:
    """One unit over a passage."""

    unit: str
    """Its name."""
    values: tuple[float, ...]
    """Its activation at every token."""


@dataclass(frozen=True)
class PassageRead:
    """A stretch of fresh text."""

    group: str
    """``a`` or ``b`` where the passage is around a further target of that group, else empty."""
    document: str
    """Where the passage is from."""
    tokens: tuple[str, ...]
    """Its tokens."""
    target: tuple[int, ...]
    """First token of the target and one past its last; empty where there is none."""
    units: tuple[UnitRow, ...]
    """The strongest units along the passage."""


@dataclass(frozen=True)
class SelectCorpus:
    """The corpus that words were looked up in, frequencies were counted in, and fresh text is from."""

    name: str
    """Name of the corpus."""
    sha256: str
    """SHA-256 of its text."""
    tokens: int
    """Tokens that it holds."""
    documents: int
    """Documents that it holds."""
    attribution: str
    """Whom its text is owed to."""


@dataclass(frozen=True)
class SelectCost:
    """What it took."""

    tokens: int
    """Tokens that the model read."""
    read_seconds: float
    """Wall clock of the reading."""
    statistics_seconds: float
    """Wall clock of the statistics."""
