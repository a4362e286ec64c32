"""All four checks of one unit on one model, from one reading of the corpus and one batch of soft ascents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from actmax.checks.continuity import continuity
from actmax.checks.importance import BRIEFLY, EXAMPLES, importance
from actmax.checks.measure import Measure
from actmax.checks.one_feature import one_feature
from actmax.checks.others import other_units
from actmax.checks.readability import DECODED, FoundText, readability
from actmax.checks.sample import Sample, take_sample
from actmax.checks.soft_batch import Optima, SoftProtocol, soft_optima
from actmax.corpus.windows import Windows
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.progress import Progress, silent

OTHERS = 19
"""Random units of the site: the fewest with which a rank can reach p = 0.05."""
QUICK = SoftProtocol(steps=75, lr=0.007)
"""About three quarters as far as 500 steps of 0.001 go, in a seventh of them."""


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
    sample: Sample,
    seed: int,
    *,
    protocol: SoftProtocol = QUICK,
    runs: int = 1,
    texts: Sequence[FoundText] = (),
    progress: Progress = silent,
) -> Material:
    """Run soft ascent for a sample's units: ``runs`` rows for the unit, one for each of the others.

    Args:
        sample: what was read.
        seed: everything random is drawn from it.
        protocol: of soft ascent.
        runs: of the unit.
        texts: further texts to judge.
        progress: told how far it is.

    Raises:
        KeyboardInterrupt: stopped; half of an ascent would give other numbers each time.
    """
    rows = [sample.unit] * runs + list(sample.others)
    optima = soft_optima(
        sample.model, rows, protocol, seed, lambda step: progress("ascending", step.index, step.total)
    )
    if not optima.complete:
        raise KeyboardInterrupt
    return Material(sample, optima, protocol, seed, tuple(texts))


def sample_of(
    model: Model,
    unit: Unit,
    windows: Windows,
    seed: int,
    others: int = OTHERS,
    progress: Progress = silent,
) -> Sample:
    """Read the corpus for a unit and random units of its site.

    Raises:
        ActmaxError: every position is left out, or an activation is not finite.
        KeyboardInterrupt: stopped before all was read.
    """
    return take_sample(model, unit, other_units(model, unit, others, seed), windows, progress=progress)


def measures(material: Material, progress: Progress = silent, *, control: bool = False) -> Iterator[Measure]:
    """The four, one after another; for a control (a copy with shuffled weights) without what is not compared.

    Raises:
        KeyboardInterrupt: stopped within one.
    """
    sample, seed = material.sample, material.seed
    texts = [] if control else _texts(material)
    examples = BRIEFLY if control else EXAMPLES
    steps: list[tuple[str, Callable[[], Measure]]] = [
        ("one feature", lambda: one_feature(sample, seed)),
        ("importance", lambda: importance(sample, seed, progress, examples)),
        ("continuity", lambda: continuity(sample, material.optima, material.protocol.positions, seed)),
        ("readability", lambda: readability(sample, texts, seed)),
    ]
    for name, step in steps:
        progress(name, 0, None)
        yield step()


def _texts(material: Material) -> list[FoundText]:
    optima, tokenizer = material.optima, material.sample.model.tokenizer
    rows = optima.rows(material.sample.unit)
    decoded = [FoundText(DECODED, str(tokenizer.decode(optima.ids[row].tolist()))) for row in rows]
    return [*decoded, *material.texts]
