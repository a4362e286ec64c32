"""Observe units on a corpus, from names to a result: what ``actmax observe`` and ``actmax.observe`` do."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from actmax.api.provenance import manifest_of
from actmax.atlas.neuronpedia import export_neuronpedia
from actmax.corpus.corpus import open_corpus
from actmax.corpus.reading import WINDOWS_AT_ONCE, Readings, read_units
from actmax.corpus.settings import DEFAULT_CORPUS, CorpusNames
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.inputs.bos import bos_id
from actmax.inputs.settings import BosPolicy
from actmax.models.model import Model
from actmax.models.sinks import SINK_MULTIPLE
from actmax.models.sites import Unit, resolve
from actmax.observation.observation import observe_unit
from actmax.observation.settings import ObserveSettings
from actmax.progress import Progress, silent
from actmax.results.manifest import Manifest
from actmax.results.observe import ObservationSettings, ObservedCorpus, ObserveResult, ReadingCost
from actmax.settings import INTERNAL, keywords


@dataclass(frozen=True, kw_only=True)
class ObserveArguments(ObserveSettings):
    """The arguments of :func:`observe` in Python."""

    corpus: CorpusNames | Windows = DEFAULT_CORPUS  # type: ignore[assignment]  # wider than the option
    """As for :func:`actmax.corpus.corpus.open_corpus`, or windows that are already cut (``window``,
    ``max_tokens``, ``field`` and ``bos`` then are theirs)."""
    windows_at_once: Annotated[int, Ge(1), INTERNAL] = WINDOWS_AT_ONCE
    """Windows of a batch."""
    progress: Annotated[Progress, INTERNAL] = silent
    """Called with how far fetching, tokenising and reading are."""


@keywords(ObserveArguments)
def observe(
    model: Model, units: str | Unit | Sequence[str | Unit], settings: ObserveArguments
) -> ObserveResult:
    """The strongest and the typical examples of some units in real text, with statistics.

    Ctrl-C ends the reading early; the result then says that it is not complete.

    Args:
        model: from :func:`actmax.load`.
        units: names such as ``hidden_states.4:90``, or units.
        settings: as keyword arguments, see below.

    Raises:
        ActmaxError: a unit or corpus that cannot be read, or settings that make no sense; the sentence says
            what to do.
    """
    given = [units] if isinstance(units, str | Unit) else list(units)
    if not given:
        raise ActmaxError("No unit was named; give at least one, for example hidden_states.4:90.")
    resolved = tuple(unit if isinstance(unit, Unit) else resolve(model, unit) for unit in given)
    windows = _windows(model, settings)
    started = time.perf_counter()
    readings = read_units(
        model, resolved, windows, windows_at_once=settings.windows_at_once, progress=settings.progress
    )
    seconds = time.perf_counter() - started
    observed = tuple(
        observe_unit(
            readings,
            k,
            top=settings.top,
            context=settings.context,
            include_sinks=settings.include_sinks,
            all_examples=settings.all_examples,
        )
        for k in range(len(resolved))
    )
    described = describe_corpus(readings)
    return ObserveResult(
        model=model.name,
        n_blocks=model.n_blocks,
        corpus=described,
        units=observed,
        settings=ObservationSettings(
            settings.top,
            settings.context,
            settings.max_tokens or None,
            settings.field,
            settings.bos,
            settings.include_sinks,
            settings.all_examples,
            sink_multiple=SINK_MULTIPLE,
        ),
        cost=ReadingCost(described.tokens, seconds),
        manifest=_manifest(model, windows, settings.bos),
        complete=readings.complete,
    )


def _windows(model: Model, settings: ObserveArguments) -> Windows:
    corpus = settings.corpus
    if isinstance(corpus, Windows):
        return corpus
    most = settings.max_tokens or None
    names = os.fspath(corpus) if isinstance(corpus, str | os.PathLike) else list(corpus)
    first = bos_id(model.tokenizer, settings.bos)
    tokens = open_corpus(
        names, model.tokenizer, field=settings.field, max_tokens=most, progress=settings.progress
    )
    return windows_of(tokens, length=min(settings.window, model.context), bos=first, max_tokens=most)


def describe_corpus(readings: Readings) -> ObservedCorpus:
    """What was read, of windows that may have been read in part."""
    windows, tokens = readings.windows, readings.windows.tokens
    if not readings.complete:
        windows = Windows(tokens, windows.length, windows.bos, windows.chosen[: readings.n_windows])
    return ObservedCorpus(
        name=tokens.name,
        sha256=tokens.text_sha256,
        tokens=windows.n_tokens,
        corpus_tokens=tokens.n_tokens,
        documents=windows.n_documents,
        windows=windows.n_windows,
        window=windows.length,
        windows_sha256=windows.sha256,
        attribution=tokens.attribution,
        skipped=tokens.skipped,
    )


def _manifest(model: Model, windows: Windows, policy: BosPolicy) -> Manifest:
    meant = "none was added" if windows.bos is None else f"id {windows.bos} begins every window"
    return manifest_of(model, seed=0, bos=f"{policy} ({meant})", corpus_sha256=windows.tokens.text_sha256)


def save_neuronpedia(result: ObserveResult, folder: Path) -> None:
    """Write an observation in the layout of Neuronpedia's importer.

    Raises:
        ActmaxError: the folder cannot be written to.
    """
    export_neuronpedia(result, folder)
