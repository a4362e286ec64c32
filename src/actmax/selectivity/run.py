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
from functools import partial
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Int

from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import Site
from actmax.progress import Progress, silent
from actmax.selectivity import compare as comparing
from actmax.selectivity.compare import Comparison, ShuffledLabels, Validation
from actmax.selectivity.confounds import Confounds, Covariates, confounds, covariates_of
from actmax.selectivity.context import ContextEffect, context_effect
from actmax.selectivity.extract import Activations, extract
from actmax.selectivity.fresh import FreshPassage, fresh_samples, look
from actmax.selectivity.groups import FoundSamples, Group, SampleSource, check_apart
from actmax.selectivity.sample import Sample
from actmax.selectivity.settings import SelectSettings
from actmax.stats.probe import Probe, probe
from actmax.stats.samples import Labels

T = TypeVar("T")

CONTEXT_SAMPLES = 100
"""Samples of a group whose vectors are followed through the blocks."""

MISSING_SHOWN = 5


@dataclass(frozen=True)
class Question:
    """Two groups of text, how they are sampled, and what is asked of them."""

    groups: tuple[Group, Group]
    second: tuple[Group, ...]
    """A second pair of groups to validate on, or none."""
    source: SampleSource
    settings: SelectSettings
    bos: int | None
    """The token that begins every sample."""


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
class Selection:
    """Everything that was found; what was skipped is None or empty."""

    read: Read
    comparison: Comparison
    confounds: Confounds
    covariates: Covariates
    held_out: Validation | None = None
    held_kind: str = ""
    held_sizes: tuple[int, int] = (0, 0)
    chance: ShuffledLabels | None = None
    probe: Probe | None = None
    context: list[tuple[str, int, ContextEffect]] = field(default_factory=list)
    passages: list[FreshPassage] = field(default_factory=list)
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
    groups: Sequence[Group], second: Sequence[Group], source: SampleSource, rng: np.random.Generator
) -> list[FoundSamples]:
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
    question: Question,
    found: Sequence[FoundSamples],
    sites: Sequence[Site],
    *,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Read:
    """Read all samples at once.

    Raises:
        ActmaxError: fewer than two samples of a group are left without sinks.
    """
    settings = question.settings
    samples = tuple(sample for group in found for sample in group.samples)
    sizes = [len(group.samples) for group in found]
    labels = np.repeat([k % 2 == 0 for k in range(len(found))], sizes)
    second = np.repeat([k >= 2 for k in range(len(found))], sizes)
    acts = extract(
        model,
        samples,
        sites,
        bos=question.bos,
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
    question: Question,
    found: Sequence[FoundSamples],
    read: Read,
    *,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Selection:
    """Everything that follows from the activations.

    Raises:
        ActmaxError: the groups cannot be compared as asked.
    """
    started = time.perf_counter()
    out = _compared(question, read, progress)
    _note_missing(out, question.groups, found)
    _statistics(out, question.settings, rng, progress)
    out.statistics_seconds = time.perf_counter() - started
    if question.settings.context:
        _follow(out, model, question, progress)
    order = out.comparison.order[: question.settings.heat]
    out.heat_units = [read.acts.name(int(u)) for u in order]
    progress("reading fresh text", 0, None)
    passages = out.attempt(
        lambda: look(
            model,
            out.heat_units,
            fresh_samples(question.groups, found[:2], question.source, rng),
            question.bos,
        )
    )
    out.passages = passages or []
    return out


def _compared(question: Question, read: Read, progress: Progress) -> Selection:
    """Every unit tested, and correlated with what else the targets differ in."""
    settings, rows = question.settings, read.main
    values, labels = read.acts.values[rows], read.labels[rows]
    progress("comparing", 0, None)
    comparison = comparing.compare_groups(
        values,
        labels,
        read.acts.site_of,
        test=settings.test,
        alpha=settings.alpha,
        correction=settings.correction,
        scope=settings.scope,
    )
    covariates = covariates_of([read.samples[k] for k in rows], question.source.corpus)
    out = Selection(read, comparison, confounds(values, labels, covariates), covariates)
    out.complete = read.acts.complete
    return out


def _statistics(
    out: Selection, settings: SelectSettings, rng: np.random.Generator, progress: Progress
) -> None:
    """Validation on text that was held out, shuffled labels, and the probe."""
    rows = out.read.main
    values, labels = out.read.acts.values[rows], out.read.labels[rows]
    samples = [out.read.samples[k] for k in rows]
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


def _follow(out: Selection, model: Model, question: Question, progress: Progress) -> None:
    """Some targets of each group through the blocks, in context and alone."""
    read = out.read
    for number, group in enumerate(question.groups):
        mine = read.main[read.labels[read.main] == (number == 0)]
        # Evenly, for they stand in the corpus's order.
        places = np.linspace(0, len(mine) - 1, min(len(mine), CONTEXT_SAMPLES)).round().astype(int)
        chosen = [read.samples[k] for k in mine[places]]
        follow = partial(context_effect, model, chosen, bos=question.bos, take=question.settings.token)
        effect = out.attempt(partial(follow, progress=progress))
        if effect is not None:
            out.context.append((group.name, len(chosen), effect))


def _hold(
    out: Selection,
    values: np.ndarray,
    labels: Labels,
    samples: Sequence[Sample],
    settings: SelectSettings,
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
    out: Selection, values: np.ndarray, labels: Labels, samples: Sequence[Sample], rng: np.random.Generator
) -> Probe | None:
    documents = np.unique(np.asarray([s.document for s in samples]), return_inverse=True)[1].astype(np.int64)
    for which in (documents, None):
        try:
            return probe(values, labels, rng, which)
        except ActmaxError:
            continue
    out.notes.append("There are too few samples or documents for the probe's five folds.")
    return None


def _note_missing(out: Selection, groups: Sequence[Group], found: Sequence[FoundSamples]) -> None:
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
