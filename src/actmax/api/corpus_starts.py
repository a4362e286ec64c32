"""The corpus's strongest contexts of a unit: where a text search begins, and what it is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actmax.fetch.progress import Progress, silent
from actmax.inputs.bos import BosPolicy, bos_id
from actmax.models.model import Model
from actmax.models.residual import residual_at
from actmax.models.sites import Unit
from actmax.observe.corpus import open_corpus
from actmax.observe.reading import positions, read_units
from actmax.observe.windows import windows_of
from actmax.results.run import CorpusMaximum
from actmax.search.goal import Sinks
from actmax.search.text_method import Row

CORPUS, TOKENS = "wikipedia-excerpt", 51_200


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
    progress: Progress = silent,
) -> CorpusStarts:
    """Read the default corpus for one unit.

    Args:
        model: what is run, to the unit's depth.
        unit: what is looked at.
        length: tokens that each start holds.
        n: starts at most.
        minimize: look for the smallest activations.
        bos: how windows begin.
        progress: told of fetching and reading.
    """
    tokens = open_corpus(CORPUS, model.tokenizer, max_tokens=TOKENS, progress=progress)
    windows = windows_of(tokens, bos=bos_id(model.tokenizer, bos), max_tokens=TOKENS)
    readings = read_units(model, [unit], windows)
    _, document, valid = positions(windows, readings.n_windows)
    kept = valid & ~readings.sinks(0, valid)
    sign = -1.0 if minimize else 1.0
    values = np.where(kept, sign * readings.values[0], -np.inf)
    first = 1 if bos_id(model.tokenizer, bos) is not None else 0
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
    residual = residual_at(model, unit.site)
    sinks = None
    if residual is not None:
        sinks = Sinks(residual, float(np.median(readings.norms[readings.depths.index(residual)][valid])))
    extreme = CorpusMaximum(float(sign * values.max()), windows.n_tokens, CORPUS, windows.sha256)
    return CorpusStarts(tuple(rows), extreme, sinks)
