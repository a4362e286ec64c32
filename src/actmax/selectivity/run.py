"""From two groups' names to every number about every unit: the steps of ``actmax select``.

1. Both groups become samples; a second pair of groups, where given, too.
2. The model reads all samples once, to the deepest site. Attention sinks are left out.
3. Every unit is compared, and validated on held-out documents or on the second pair.
4. Chance, the probe, correlates, context and fresh text follow. Ctrl-C during the reading ends the reading;
   later it skips what is left. Either way the result says that it is not complete.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Int

from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import Site
from actmax.progress import Progress, silent
from actmax.selectivity import compare as comparing
from actmax.selectivity.compare import Chance, Comparison, HeldOut, Scope, Test
from actmax.selectivity.confounds import Confounds, Covariates, confounds, covariates_of
from actmax.selectivity.context import ContextEffect, context_effect
from actmax.selectivity.extract import Activations, Batching, Take, extract
from actmax.selectivity.fresh import Passage, fresh_samples, look
from actmax.selectivity.groups import Found, Group, Source, check_apart
from actmax.selectivity.sample import Sample
from actmax.selectivity.settings import Hold as Hold
from actmax.stats.heldout import Correction
from actmax.stats.probe import Probe, probe
from actmax.stats.samples import Labels

T = TypeVar("T")


CONTEXT_SAMPLES = 100
"""Samples of a group whose vectors are followed through the blocks."""

MISSING_SHOWN = 5


@dataclass(frozen=True)
class Settings:
    """What is asked for, apart from model, groups and sites."""

    token: Take = "last"  # noqa: S105
    test: Test = "welch"
    alpha: float = 0.05
    correction: Correction = "bh"
    scope: Scope = "model"
    permutations: int = 200
    probe: bool = True
    context: bool = True
    heat: int = 6
    """Units whose values over fresh text are shown."""
    include_sinks: bool = False
    batching: Batching = "packed"
    hold: Hold = "documents"
    """What the held-out half has nothing of in common with the other."""


@dataclass(frozen=True)
class Read:
    """The samples that were compared, and what the model gave on them."""

    samples: tuple[Sample, ...]
    labels: Labels
    """True for group a."""
    acts: Activations
    keep: Bool[np.ndarray, " samples"]
    """Read, and no sinks."""
    second: Bool[np.ndarray, " samples"]
    """Samples of the second pair of groups."""

    @property
    def main(self) -> Int[np.ndarray, " kept"]:
        """Rows that are compared."""
        return np.flatnonzero(self.keep & ~self.second)


@dataclass
class Outcome:
    """Everything that was found; what was skipped is None or empty."""

    read: Read
    comparison: Comparison
    confounds: Confounds
    covariates: Covariates
    held_out: HeldOut | None = None
    held_kind: str = ""
    held_sizes: tuple[int, int] = (0, 0)
    chance: Chance | None = None
    probe: Probe | None = None
    context: list[tuple[str, int, ContextEffect]] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    heat_units: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    complete: bool = True
    read_seconds: float = 0.0
    statistics_seconds: float = 0.0

    def attempt(self, stage: Callable[[], T]) -> T | None:
        """Run a stage, unless the user has stopped; Ctrl-C in it ends all further ones."""
        if not self.complete:
            return None
        try:
            return stage()
        except KeyboardInterrupt:
            self.complete = False
            return None


def find_samples(
    groups: Sequence[Group], second: Sequence[Group], source: Source, rng: np.random.Generator
) -> list[Found]:
    """The samples of a and b, then of the second a and b; checked not to overlap.

    Raises:
        ActmaxError: a group is empty, has one member, or shares a sample with the other.
    """
    found = [group.samples(source, rng) for group in (*groups, *second)]
    for k in range(0, len(found), 2):
        pair = (groups, second)[k // 2]
        check_apart(pair[0], pair[1], found[k], found[k + 1])
    return found


def read_samples(
    model: Model,
    found: Sequence[Found],
    sites: Sequence[Site],
    settings: Settings,
    *,
    bos: int | None,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Read:
    """Read all samples at once.

    Raises:
        ActmaxError: fewer than two samples of a group are left without sinks.
    """
    samples = tuple(sample for group in found for sample in group.samples)
    sizes = [len(group.samples) for group in found]
    labels = np.repeat([k % 2 == 0 for k in range(len(found))], sizes)
    second = np.repeat([k >= 2 for k in range(len(found))], sizes)
    acts = extract(
        model,
        samples,
        sites,
        bos=bos,
        take=settings.token,
        batching=settings.batching,
        rng=rng,
        progress=progress,
    )
    keep = acts.done if settings.include_sinks else acts.done & ~acts.sinks
    if settings.test == "paired":
        keep = _whole_pairs(keep, labels, second)
    for of_second in (False, True)[: 1 + bool(second.any())]:
        for label in (True, False):
            left = int((keep & (labels == label) & (second == of_second)).sum())
            if left < 2:
                raise ActmaxError(
                    f"Only {left} samples of the group {'a' if label else 'b'} could be compared, the others"
                    " are attention sinks or were not read; use --include-sinks, or give more text."
                )
    return Read(samples, labels, acts, keep, second)


def analyse(
    model: Model,
    read: Read,
    found: Sequence[Found],
    groups: Sequence[Group],
    source: Source,
    settings: Settings,
    *,
    bos: int | None,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Outcome:
    """Everything that follows from the activations.

    Raises:
        ActmaxError: the groups cannot be compared as asked.
    """
    started = time.perf_counter()
    rows = read.main
    values, labels = read.acts.values[rows], read.labels[rows]
    samples = [read.samples[k] for k in rows]
    progress("comparing", 0, None)
    comparison = comparing.compare(
        values,
        labels,
        read.acts.site_of,
        test=settings.test,
        alpha=settings.alpha,
        correction=settings.correction,
        scope=settings.scope,
    )
    covariates = covariates_of(samples, source.corpus)
    out = Outcome(read, comparison, confounds(values, labels, covariates), covariates)
    out.complete = read.acts.complete
    _note_missing(out, groups, found)
    _hold(out, values, labels, samples, settings, rng)
    progress("shuffling", 0, None)
    out.chance = out.attempt(
        lambda: comparing.chance(
            values,
            labels,
            rng,
            test=settings.test,
            alpha=settings.alpha,
            correction=settings.correction,
            permutations=settings.permutations,
        )
    )
    if settings.probe:
        progress("fitting the probe", 0, None)
        out.probe = out.attempt(lambda: _probe(out, values, labels, samples, rng))
    out.statistics_seconds = time.perf_counter() - started
    if settings.context:
        for number, group in enumerate(groups):
            mine = rows[read.labels[rows] == (number == 0)]  # evenly, for they stand in the corpus's order
            chosen = mine[np.linspace(0, len(mine) - 1, min(len(mine), CONTEXT_SAMPLES)).round().astype(int)]
            effect = out.attempt(
                lambda chosen=chosen: context_effect(  # type: ignore[misc]
                    model,
                    [read.samples[k] for k in chosen],
                    bos=bos,
                    take=settings.token,
                    progress=progress,
                )
            )
            if effect is not None:
                out.context.append((group.name, len(chosen), effect))
    out.heat_units = [read.acts.name(int(u)) for u in comparison.order[: settings.heat]]
    progress("reading fresh text", 0, None)
    passages = out.attempt(
        lambda: look(model, out.heat_units, fresh_samples(groups, found[:2], source, rng), bos)
    )
    out.passages = passages or []
    return out


def _hold(
    out: Outcome,
    values: np.ndarray,
    labels: Labels,
    samples: Sequence[Sample],
    settings: Settings,
    rng: np.random.Generator,
) -> None:
    """Validation on the second pair of groups where there is one, else on half of the documents."""
    read = out.read
    try:
        if read.second.any():
            rows = np.flatnonzero(read.keep & read.second)
            out.held_kind = "second set"
            find = comparing.Labelled(values, labels)
            hold = comparing.Labelled(read.acts.values[rows], read.labels[rows])
        else:
            by_word = settings.hold == "words"
            kept = [s.word if by_word else s.document for s in samples]
            half, whole = comparing.split(kept, labels, settings.test, rng)
            out.held_kind = settings.hold if whole else "samples"
            find, hold = (comparing.Labelled(values[side], labels[side]) for side in (half, ~half))
            if not whole:
                out.notes.append(
                    f"The held-out half shares {settings.hold} with the other: there are too few to split."
                )
        out.held_out = comparing.validate(
            find, hold, test=settings.test, alpha=settings.alpha, correction=settings.correction
        )
        out.held_sizes = (len(find.labels), len(hold.labels))
    except ActmaxError:
        out.notes.append("There are too few samples to hold any out, so nothing here was validated.")


def _probe(
    out: Outcome, values: np.ndarray, labels: Labels, samples: Sequence[Sample], rng: np.random.Generator
) -> Probe | None:
    documents = np.unique(np.asarray([s.document for s in samples]), return_inverse=True)[1].astype(np.int64)
    for which in (documents, None):
        try:
            return probe(values, labels, rng, which)
        except ActmaxError:
            continue
    out.notes.append("There are too few samples or documents for the probe's five folds.")
    return None


def _note_missing(out: Outcome, groups: Sequence[Group], found: Sequence[Found]) -> None:
    for group, one in zip(groups, found[:2], strict=True):
        if one.missing:
            shown = ", ".join(one.missing[:MISSING_SHOWN])
            more = f" and {len(one.missing) - MISSING_SHOWN} more" if len(one.missing) > MISSING_SHOWN else ""
            out.notes.append(f"Of {group.name}, {shown}{more} never occur.")


def _whole_pairs(
    keep: Bool[np.ndarray, " samples"],
    labels: Bool[np.ndarray, " samples"],
    second: Bool[np.ndarray, " samples"],
) -> Bool[np.ndarray, " samples"]:
    """Pairs of which both were read; unequal groups are left for the test to refuse."""
    kept = keep.copy()
    for of_second in (False, True):
        a, b = np.flatnonzero(labels & (second == of_second)), np.flatnonzero(~labels & (second == of_second))
        if len(a) == len(b):
            both = keep[a] & keep[b]
            kept[a], kept[b] = both, both
    return kept
