"""Observe units on a corpus, from names to a result: what ``actmax observe`` and ``actmax.observe`` do."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from actmax.api.provenance import manifest_of
from actmax.atlas.neuronpedia import export_neuronpedia
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.reading import WINDOWS_AT_ONCE, Readings, read_units
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_id, bos_policy
from actmax.models.model import Model
from actmax.models.sinks import SINK_MULTIPLE
from actmax.models.sites import Unit, resolve
from actmax.observation.observation import observe_unit
from actmax.progress import Progress, silent
from actmax.results.manifest import Manifest
from actmax.results.observe import ObservationSettings, ObservedCorpus, ObserveResult, ReadingCost

MAX_TOKENS = 128_000
"""Tokens that are read unless asked otherwise: about a thousand windows."""

WINDOW = 128
"""Positions of a window."""


def observe(
    model: Model,
    units: str | Unit | Sequence[str | Unit],
    *,
    corpus: str | os.PathLike[str] | Sequence[str] | Windows = DEFAULT_CORPUS,
    top: int = 20,
    context: int = 32,
    window: int = WINDOW,
    max_tokens: int | None = MAX_TOKENS,
    field: str = "text",
    bos: BosPolicy = "auto",
    include_sinks: bool = False,
    all_examples: bool = False,
    windows_at_once: int = WINDOWS_AT_ONCE,
    progress: Progress = silent,
    command: str = "",
) -> ObserveResult:
    """The strongest and the typical examples of some units in real text, with statistics.

    Ctrl-C ends the reading early; the result then says that it is not complete.

    Args:
        model: from :func:`actmax.models.load.load`.
        units: names such as ``hidden_states.4:90``, or units.
        corpus: as for :func:`actmax.corpus.corpus.open_corpus`, or windows that are already cut (``window``,
            ``max_tokens``, ``field`` and ``bos`` then are theirs).
        top: examples at either end.
        context: tokens shown on either side of an example.
        window: positions that the model reads at once, with BOS; cut to the model's context.
        max_tokens: tokens to read, in windows spread evenly over the corpus; None or 0 reads all.
        field: which field of a JSON object, or column of a table, holds the text.
        bos: whether windows begin with BOS.
        include_sinks: keep sinks, and position 0 where it holds a token.
        all_examples: do not look for one example a document and a context.
        windows_at_once: rows of a batch.
        progress: told of fetching, tokenising and reading.
        command: the command line, for the manifest.

    Raises:
        ActmaxError: a unit or corpus that cannot be read, or settings that make no sense; the sentence names
            the mend.
    """
    _check(top=top, context=context)
    given = [units] if isinstance(units, str | Unit) else list(units)
    if not given:
        raise ActmaxError("No unit was named; give at least one, for example hidden_states.4:90.")
    resolved = tuple(unit if isinstance(unit, Unit) else resolve(model, unit) for unit in given)
    policy = bos_policy(bos)
    max_tokens = max_tokens or None
    if isinstance(corpus, Windows):
        windows = corpus
    else:
        first = bos_id(model.tokenizer, policy)
        names = os.fspath(corpus) if isinstance(corpus, str | os.PathLike) else list(corpus)
        tokens = open_corpus(names, model.tokenizer, field=field, max_tokens=max_tokens, progress=progress)
        windows = windows_of(tokens, length=min(window, model.context), bos=first, max_tokens=max_tokens)
    started = time.perf_counter()
    readings = read_units(model, resolved, windows, windows_at_once=windows_at_once, progress=progress)
    seconds = time.perf_counter() - started
    observed = tuple(
        observe_unit(
            readings, k, top=top, context=context, include_sinks=include_sinks, all_examples=all_examples
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
            top, context, max_tokens, field, policy, include_sinks, all_examples, sink_multiple=SINK_MULTIPLE
        ),
        cost=ReadingCost(described.tokens, seconds),
        manifest=_manifest(model, windows, policy, command),
        complete=readings.complete,
    )


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


def _check(*, top: int, context: int) -> None:
    if top < 1:
        raise ActmaxError(f"--top must be at least 1 (got {top}).")
    if context < 0:
        raise ActmaxError(f"--context must be at least 0 (got {context}).")


def _manifest(model: Model, windows: Windows, policy: BosPolicy, command: str) -> Manifest:
    meant = "none was added" if windows.bos is None else f"id {windows.bos} begins every window"
    made = manifest_of(model, seed=0, bos=f"{policy} ({meant})", corpus_sha256=windows.tokens.text_sha256)
    return replace(made, command=command or made.command)


def save_neuronpedia(result: ObserveResult, folder: Path) -> None:
    """Write an observation in the layout of Neuronpedia's importer.

    Raises:
        ActmaxError: the folder cannot be written to.
    """
    export_neuronpedia(result, folder)
