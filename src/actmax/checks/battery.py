"""All four checks of one unit on one model, from one reading of the corpus and one batch of soft ascents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from actmax.checks.continuity import continuity
from actmax.checks.importance import importance
from actmax.checks.measure import Measure
from actmax.checks.one_feature import one_feature
from actmax.checks.others import other_units
from actmax.checks.readability import DECODED, FoundText, readability
from actmax.checks.sample import Sample, take_sample
from actmax.checks.soft_batch import Optima, SoftProtocol, soft_optima
from actmax.fetch.progress import Progress, silent
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.observe.windows import Windows

OTHERS = 19
"""Random units of the site: the fewest with which a rank can reach p = 0.05."""
QUICK = SoftProtocol(steps=150, lr=0.0035)
"""As far as 500 steps of 0.001 go, in fewer."""


@dataclass(frozen=True)
class Material:
    """What the checks of one unit are made from."""

    sample: Sample
    optima: Optima
    protocol: SoftProtocol
    seed: int
    texts: tuple[FoundText, ...] = ()
    """Found by other means than the soft optimum, whose decoded tokens are always judged."""


def gather(
    model: Model,
    unit: Unit,
    windows: Windows,
    seed: int,
    *,
    protocol: SoftProtocol = QUICK,
    others: int = OTHERS,
    runs: int = 1,
    unrelated: int = 0,
    texts: Sequence[FoundText] = (),
    progress: Progress = silent,
) -> Material:
    """Read the corpus and run soft ascent: ``runs`` rows for the unit, one for each of the others.

    Args:
        model: the model, or its shuffled copy.
        unit: of it.
        windows: of the corpus.
        seed: everything random is drawn from it.
        protocol: of soft ascent.
        others: random units of the site.
        runs: of the unit.
        unrelated: how many of the others get ``runs`` rows too.
        texts: further texts to judge.
        progress: told how far it is.

    Raises:
        KeyboardInterrupt: stopped; there is nothing to keep yet.
    """
    compared = other_units(model, unit, others, seed)
    sample = take_sample(model, unit, compared, windows, progress=progress)
    rows = [unit] * runs
    for k, other in enumerate(compared):
        rows += [other] * (runs if k < unrelated else 1)
    optima = soft_optima(
        model, rows, protocol, seed, lambda step: progress("ascending", step.index, step.total)
    )
    if not optima.complete:
        raise KeyboardInterrupt
    return Material(sample, optima, protocol, seed, tuple(texts))


def measures(material: Material, progress: Progress = silent) -> Iterator[Measure]:
    """The four, one after another."""
    sample, seed = material.sample, material.seed
    steps: list[tuple[str, Callable[[], Measure]]] = [
        ("one feature", lambda: one_feature(sample, seed)),
        ("importance", lambda: importance(sample, seed, progress)),
        ("continuity", lambda: continuity(sample, material.optima, material.protocol.positions, seed)),
        ("readability", lambda: readability(sample, _texts(material), seed)),
    ]
    for name, step in steps:
        progress(name, 0, None)
        yield step()


def _texts(material: Material) -> list[FoundText]:
    optima, tokenizer = material.optima, material.sample.model.tokenizer
    rows = optima.rows(material.sample.unit)
    decoded = [FoundText(DECODED, str(tokenizer.decode(optima.ids[row].tolist()))) for row in rows]
    return [*decoded, *material.texts]
