"""The parts of a ``select`` result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from actmax.results.shown import Keywords


@dataclass(frozen=True)
class Quote:
    """One sample as it stood in its text."""

    before: str
    text: str
    after: str
    document: str


@dataclass(frozen=True)
class GroupRead:
    """One of the two groups, as it was read."""

    name: str
    meaning: str
    samples: int
    """That were compared."""
    total: int
    """That there were to draw from."""
    documents: int
    sinks: int
    """Samples left out because their target is an attention sink."""
    missing: tuple[str, ...]
    """Words of a list that never occur."""
    quotes: tuple[Quote, ...]
    """Some of the samples."""


@dataclass(frozen=True)
class UnitSelectivity:
    """One unit: positive numbers mean that group a is higher. NaN is what could not be computed."""

    rank: int
    unit: str
    site: str
    index: int
    layer: int | None
    mean_a: float
    mean_b: float
    t: float
    df: float
    p: float
    """Of the test that was asked for, uncorrected."""
    p_corrected: float
    p_permutation: float
    """Corrected for all units by shuffled labels."""
    significant: bool
    d: float
    """Cohen's d, with the ends of its 95 % confidence interval."""
    d_low: float
    d_high: float
    auc: float
    """The chance that a sample of a is higher than one of b."""
    slope: float
    """Of the logistic regression of the group on the activation; None in JSON where it is infinite."""
    p_slope: float
    """Wald's test of the slope; None in JSON where there is no fit (see ``fit``)."""
    p_logistic: float
    """The likelihood-ratio test, which a separable unit has too."""
    fit: Annotated[str, Keywords(enum=["ok", "separable", "quasi-separable", "constant", "unconverged"])]
    """``ok``; ``separable`` or ``quasi-separable`` (up to ties): the slope is infinite; ``constant``: nothing
    can be fitted; ``unconverged``: the numbers are approximate."""
    accuracy: float
    """Of the unit's threshold on the samples that it was fitted to."""
    separable: bool
    """A threshold tells the groups apart without error."""
    statistic_found: float
    """The statistic on the finding half."""
    statistic_held: float
    """The statistic on the held-out half."""
    held: bool
    """Found on one half and significant with the same sign on the other."""
    accuracy_held: float
    """Of the threshold fitted to the finding half, on the other half."""
    r: float
    """Correlation with the group."""
    r_partial: float
    """The same with the covariates held constant."""
    correlates: Mapping[str, float]
    """Correlation with each covariate."""
    correlates_partial: Mapping[str, float]
    """The same with the other covariates held constant."""


@dataclass(frozen=True)
class Layer:
    """One site, over all its units."""

    site: str
    layer: int | None
    units: int
    significant: int
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
    samples_held: int
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
    weight: float
    """Per standard deviation of the unit; positive where more means group a."""


@dataclass(frozen=True)
class Probed:
    """Several units together against the best one, on documents that neither had seen."""

    accuracy: float
    single_accuracy: float
    majority: float
    """Of always naming the larger group."""
    folds: int
    used: float
    """Units with a weight, mean over the folds."""
    weights: tuple[ProbeWeight, ...]
    """The strongest of a probe fitted to all samples."""


@dataclass(frozen=True)
class Context:
    """What context, the leading space and the blocks do to a group's vectors: medians over its tokens."""

    group: str
    samples: int
    context_distance: tuple[float, ...]
    """At the embedding, then after every block."""
    context_cosine: tuple[float, ...]
    space_distance: tuple[float, ...]
    space_cosine: tuple[float, ...]
    path: tuple[float, ...]
    path_alone: tuple[float, ...]
    straight: tuple[float, ...]
    alone_over_context: tuple[float, ...] = ()
    """Norm alone over norm in context; far above 1 where a token alone after BOS is half a sink."""


@dataclass(frozen=True)
class UnitRow:
    """One unit over a passage."""

    unit: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class PassageRead:
    """A stretch of fresh text."""

    group: str
    """``a`` or ``b`` where the passage is around a further target of that group, else empty."""
    document: str
    tokens: tuple[str, ...]
    target: tuple[int, ...]
    """First token of the target and one past its last; empty where there is none."""
    units: tuple[UnitRow, ...]


@dataclass(frozen=True)
class SelectCorpus:
    """The corpus that words were looked up in, frequencies were counted in, and fresh text is from."""

    name: str
    sha256: str
    tokens: int
    documents: int
    attribution: str


@dataclass(frozen=True)
class SelectCost:
    """What it took."""

    tokens: int
    """That the model read."""
    read_seconds: float
    statistics_seconds: float
