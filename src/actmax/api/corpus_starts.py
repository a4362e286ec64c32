"""The corpus's strongest contexts of a unit: where a text search begins, and what it is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actmax.atlas.scale import quick_windows, scale_of
from actmax.corpus.corpus import DEFAULT_CORPUS
from actmax.corpus.reading import Readings, positions, read_units
from actmax.inputs.bos import BosPolicy
from actmax.inputs.tokens import Row
from actmax.models.model import Model
from actmax.models.sinks import Sinks, residual_at
from actmax.models.sites import Unit
from actmax.progress import Progress, silent
from actmax.results.run import CorpusMaximum


@dataclass(frozen=True)
class CorpusStarts:
    """What one reading of the corpus gives to a search."""

    rows: tuple[Row, ...]
    """The tokens up to the strongest position of a document, best first, one a document."""
    extreme: CorpusMaximum
    """The largest activation (the smallest for a search that minimises), sinks and position 0 left out."""
    sinks: Sinks | None
    """Calibrated on the corpus's median residual norm."""


def corpus_starts(
    model: Model,
    unit: Unit,
    *,
    length: int,
    n: int,
    minimize: bool = False,
    bos: BosPolicy = "auto",
    corpus: str = DEFAULT_CORPUS,
    progress: Progress = silent,
) -> CorpusStarts:
    """Read some of a corpus for one unit.

    Args:
        model: what is run, to the unit's depth.
        unit: what is looked at.
        length: tokens that each start holds.
        n: starts at most.
        minimize: look for the smallest activations.
        bos: how windows begin.
        corpus: name or path.
        progress: called while the corpus is fetched and read.

    Raises:
        ActmaxError: the corpus cannot be read.
        KeyboardInterrupt: stopped before all was read.
    """
    windows = quick_windows(model, corpus, bos=bos, progress=progress)
    readings = read_units(model, [unit], windows, progress=progress)
    if not readings.complete:
        raise KeyboardInterrupt
    return starts_of(readings, length=length, n=n, minimize=minimize)


def starts_of(readings: Readings, *, length: int, n: int, minimize: bool = False) -> CorpusStarts:
    """The same from a reading that there is already, for the first of its units.

    Args:
        readings: of whole windows.
        length: tokens that each start holds.
        n: starts at most.
        minimize: look for the smallest activations.
    """
    windows, unit = readings.windows, readings.units[0]
    _, document, valid = positions(windows, readings.n_windows)
    readable = valid & ~readings.sinks(0, valid)
    sign = -1.0 if minimize else 1.0
    values = np.where(readable, sign * readings.values[0], -np.inf)
    first = 0 if windows.bos is None else 1
    rows: list[Row] = []
    seen: set[int] = set()
    for row in np.argsort(-values.max(axis=1), kind="stable"):
        at = int(values[row].argmax())
        ids = windows.batch(int(row), int(row) + 1).ids[0, first : at + 1].tolist()
        if len(ids) >= length and int(document[row]) not in seen:
            seen.add(int(document[row]))
            rows.append(tuple(ids[-length:]))
        if len(rows) == n:
            break
    residual = residual_at(readings.model, unit.site)
    sinks = None
    if residual is not None:
        sinks = Sinks(residual, float(np.median(readings.norms[readings.depths.index(residual)][valid])))
    extreme = scale_of(readings).extreme(minimize=minimize)
    return CorpusStarts(tuple(rows), extreme, sinks)
