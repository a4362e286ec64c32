"""All checks of one unit, from one reading of the corpus and one batch of soft ascents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from actmax.checks.assumption import Assumption, Material, Measure
from actmax.checks.controls import other_units
from actmax.checks.registry import assumptions
from actmax.checks.sample import UnitSample, take_sample
from actmax.checks.shuffled import shuffled_copy
from actmax.checks.soft_batch import SoftProtocol, soft_optima
from actmax.checks.texts import SourcedText
from actmax.checks.verdicts import judge, unmeasured
from actmax.corpus.windows import Windows
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.progress import Progress, prefixed, silent
from actmax.results.finding import Check

OTHERS = 19
"""Random units of the site: the fewest with which a rank can reach p = 0.05."""
QUICK = SoftProtocol(steps=75, lr=0.007)
"""About three quarters as far as 500 steps of 0.001 go, in a seventh of them."""


@dataclass(frozen=True)
class Battery:
    """The checks of one unit, as far as they were finished."""

    checks: tuple[Check, ...]
    measured: bool
    """Whether every check was finished on the model itself."""
    complete: bool
    """Whether the copy with shuffled weights was finished too, where it was asked for."""


def sample_of(
    model: Model,
    unit: Unit,
    windows: Windows,
    seed: int,
    others: int = OTHERS,
    progress: Progress = silent,
) -> UnitSample:
    """Read the corpus for a unit and random units of its site.

    Raises:
        ActmaxError: every position is left out, or an activation is not finite.
        KeyboardInterrupt: stopped before all was read.
    """
    return take_sample(model, unit, other_units(model, unit, others, seed), windows, progress=progress)


def gather(
    sample: UnitSample,
    seed: int,
    *,
    protocol: SoftProtocol = QUICK,
    runs: int = 1,
    texts: Sequence[SourcedText] = (),
    brief: bool = False,
    progress: Progress = silent,
) -> Material:
    """Run soft ascent for a sample's units: ``runs`` rows for the unit, one for each random unit.

    Where no check needs an optimum and one run is asked for, nothing is run.

    Args:
        sample: what was read.
        seed: everything random is drawn from it.
        protocol: of soft ascent.
        runs: of the unit.
        texts: further texts to judge.
        brief: True for the copy with shuffled weights.
        progress: called with the steps done.

    Raises:
        KeyboardInterrupt: stopped; half of an ascent would give other numbers each time.
    """
    material = Material(sample, protocol, seed, tuple(texts), brief)
    if runs == 1 and not any("optimum" in check.needs for check in assumptions()):
        return material
    rows = [sample.unit] * runs + list(sample.others)
    optima = soft_optima(
        sample.model, rows, protocol, seed, lambda step: progress("ascending", step.index, step.total)
    )
    if not optima.complete:
        raise KeyboardInterrupt
    return Material(sample, protocol, seed, tuple(texts), brief, optima)


def measures(material: Material, progress: Progress = silent) -> Iterator[tuple[Assumption, Measure]]:
    """Every check that is found with what it measures, in their order.

    Raises:
        KeyboardInterrupt: stopped within one.
    """
    for check in assumptions():
        progress(check.name.replace("-", " "), 0, None)
        if "examples" in check.needs and material.sample.constant and not material.brief:
            yield check, unmeasured(material.sample)
        else:
            yield check, check.measure(material, progress)


def judged(material: Material, *, shuffled: bool, progress: Progress = silent) -> Battery:
    """The checks of some material, against a copy with shuffled weights where ``shuffled``.

    Ctrl-C keeps the checks that are finished.

    Raises:
        KeyboardInterrupt: stopped before the first was finished.
    """
    mine: list[tuple[Assumption, Measure]] = []
    control: list[Measure] = []
    measured = complete = False
    try:
        for pair in measures(material, progress):
            mine.append(pair)
        measured = True
        if shuffled:
            for _, measure in measures(*_shuffled(material, progress)):
                control.append(measure)
        complete = True
    except KeyboardInterrupt:
        if not mine:
            raise
    pairs = zip_longest(mine, control[: len(mine)])
    checks = tuple(judge(check, measure, beside) for (check, measure), beside in pairs)
    return Battery(checks, measured, complete)


def _shuffled(material: Material, progress: Progress) -> tuple[Material, Progress]:
    """The same material of a copy with shuffled weights, and the progress to be reported for it."""
    sample = material.sample
    progress("shuffling the weights", 0, None)
    copied = shuffled_copy(sample.model, material.seed)

    tell = prefixed(progress, "shuffled weights: ")
    read = sample_of(copied, sample.unit, sample.windows, material.seed, len(sample.others), tell)
    return gather(read, material.seed, protocol=material.protocol, brief=True, progress=tell), tell
