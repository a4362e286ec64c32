"""The tables of a finished atlas: parquet files that pandas, polars and duckdb can read.

``units.parquet``, one row per unit: statistics, estimated percentiles, the histogram.
``examples.parquet``, one row per example: unit, end (``top``, ``bottom``), rank, activation, token, and
``where``, its corpus position. ``contexts.parquet``, one row per corpus position of any example: the text
around it, its document and the character in it. ``manifest.json`` is written last: where it exists,
everything does.

One example per identical context: of a unit's best documents, those whose text around the peak repeats that
of a better one are dropped, and the spare documents move up. What is listed is always the beginning of the
true list; it is shorter than asked for only where more documents repeat than there are spare ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float64, Int

from actmax.atlas.state import MANIFEST, SCHEMA, disk
from actmax.corpus.token_text import token_text
from actmax.corpus.windows import Windows
from actmax.files import replacing, write_whole
from actmax.models.model import Model
from actmax.models.sinks import residual_at
from actmax.models.sites import HEADED, Site, d_head, has_final_norm, width
from actmax.observation.examples import NEVER
from actmax.observation.histogram import edges
from actmax.observation.recorder import Recorder
from actmax.observation.summary import SiteSummary
from actmax.progress import Progress
from actmax.results.manifest import library_versions
from actmax.results.plain import json_text

UNITS, EXAMPLES, CONTEXTS = "units.parquet", "examples.parquet", "contexts.parquet"
PERCENTILES = (0.1, 1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9)
_ROWS = 50_000
_SAVED = "what was recorded is saved, and --resume writes the tables"


def write_tables(
    folder: Path,
    model: Model,
    windows: Windows,
    recording: Recorder,
    settings: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Write the finished atlas.

    Raises:
        ActmaxError: the disk is full or cannot be written to; what was recorded stays.
    """
    for summary in recording.summaries.values():
        summary.top.settle()
        summary.bottom.settle()
    with disk(folder, _SAVED):
        progress("writing the tables", 0, None)
        places = _places(recording)
        alike = np.empty(len(places), dtype=np.int64)
        _write(folder / CONTEXTS, _contexts(windows, places, settings["context"], alike))
        _write(folder / EXAMPLES, _examples(windows, recording, places, alike, settings["top"]))
        _write(folder / UNITS, _units(recording))
        write_whole(folder / MANIFEST, json_text(_manifest(model, windows, recording, settings)).encode())


def _write(path: Path, batches: Iterator[pa.Table]) -> None:
    """Write one row group per batch; the file is whole or absent."""
    with replacing(path) as temporary:
        first = next(batches)
        with pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer:
            writer.write_table(first)
            for table in batches:
                writer.write_table(table)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())


def _places(recording: Recorder) -> Int[np.ndarray, " n"]:
    """Every corpus position of any example, once."""
    found = [np.zeros(0, dtype=np.int64)]
    for summary in recording.summaries.values():
        for examples in (summary.top, summary.bottom):
            where = np.unique(examples.where.cpu().numpy())
            found.append(where[where != NEVER])
    return np.unique(np.concatenate(found))


def _contexts(
    windows: Windows, places: Int[np.ndarray, " n"], context: int, alike: Int[np.ndarray, " n"]
) -> Iterator[pa.Table]:
    """The text around every place; fills ``alike`` with a number for each different text."""
    for start in range(0, max(1, len(places)), _ROWS):
        rows: dict[str, list[Any]] = {name: [] for name in _CONTEXT.names}
        for k in range(start, min(start + _ROWS, len(places))):
            where = int(places[k])
            before, own, after = windows.context(where, context, context)
            digest = hashlib.blake2b("\0".join((before, own, after)).encode(), digest_size=8).digest()
            alike[k] = int.from_bytes(digest, "little", signed=True)
            location = windows.locate(where)
            token = windows.token(where)
            row = (
                where,
                token,
                token_text(windows.tokens.tokenizer, token),
                before,
                after,
                location.document,
                location.name,
                location.offset,
            )
            for name, value in zip(rows, row, strict=True):
                rows[name].append(value)
        yield pa.table(rows, schema=_CONTEXT)


_CONTEXT = pa.schema(
    [
        ("where", pa.int64()),
        ("token_id", pa.int32()),
        ("token", pa.string()),
        ("text_before", pa.string()),
        ("text_after", pa.string()),
        ("document", pa.int32()),
        ("document_name", pa.string()),
        ("offset", pa.int64()),
    ]
)


def _examples(
    windows: Windows,
    recording: Recorder,
    places: Int[np.ndarray, " n"],
    alike: Int[np.ndarray, " n"],
    top: int,
) -> Iterator[pa.Table]:
    names: dict[int, str] = {}
    for site in recording.sites:
        summary = recording.summaries[site]
        parts = []
        for end, examples, sign in (("top", summary.top, 1), ("bottom", summary.bottom, -1)):
            where = examples.where.cpu().numpy()
            unit, place, rank = _distinct(where, places, alike, top)
            where = where[unit, place]
            ids = windows.tokens.ids[where]
            for token in np.unique(ids).tolist():
                if token not in names:
                    names[token] = token_text(windows.tokens.tokenizer, token)
            parts.append(
                pa.table(
                    {
                        "unit": pa.array([f"{site.name}:{index}" for index in unit.tolist()], pa.string()),
                        "site": pa.array([site.name] * len(unit), pa.string()),
                        "index": pa.array(unit, pa.int32()),
                        "end": pa.array([end] * len(unit), pa.string()),
                        "rank": pa.array(rank, pa.int32()),
                        "activation": pa.array(
                            sign * examples.value.cpu().numpy()[unit, place], pa.float32()
                        ),
                        "token": pa.array([names[token] for token in ids.tolist()], pa.string()),
                        "document": pa.array(examples.document.cpu().numpy()[unit, place], pa.int32()),
                        "where": pa.array(where, pa.int64()),
                    }
                )
            )
        table = pa.concat_tables(parts)
        order = np.lexsort((np.arange(table.num_rows), table["index"].to_numpy()))
        yield table.take(order)


def _distinct(
    where: Int[np.ndarray, "unit size"], places: Int[np.ndarray, " n"], alike: Int[np.ndarray, " n"], top: int
) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
    """The unit, the place in its list and the rank of every example to list."""
    there = where != NEVER
    text = np.zeros_like(where)
    text[there] = alike[np.searchsorted(places, where[there])]
    kept: Bool[np.ndarray, "unit size"] = there.copy()
    for k in range(1, where.shape[1]):
        kept[:, k] &= ~((text[:, :k] == text[:, k : k + 1]) & there[:, :k]).any(1)
    rank = kept.cumsum(1) - 1
    unit, place = np.nonzero(kept & (rank < top))
    return unit, place, rank[unit, place]


def _units(recording: Recorder) -> Iterator[pa.Table]:
    for site in recording.sites:
        summary = recording.summaries[site]
        moments = summary.moments
        n = len(moments.min)
        columns: dict[str, Any] = {
            "unit": [f"{site.name}:{index}" for index in range(n)],
            "site": [site.name] * n,
            "layer": pa.array([site.layer] * n, pa.int32()),
            "index": pa.array(np.arange(n), pa.int32()),
            "count": pa.array(np.full(n, moments.count), pa.int64()),
            "mean": moments.mean().cpu().numpy(),
            "std": moments.std().cpu().numpy(),
            "min": moments.min.cpu().numpy(),
            "max": moments.max.cpu().numpy(),
            "density": moments.density().cpu().numpy(),
        }
        quantiles = _quantiles(summary)
        columns |= {column_of(percent): quantiles[:, k] for k, percent in enumerate(PERCENTILES)}
        counts = summary.histogram.counts.cpu().numpy()
        columns["histogram"] = pa.FixedSizeListArray.from_arrays(counts.ravel(), counts.shape[1])
        yield pa.table(columns)


def _quantiles(summary: SiteSummary) -> Float64[np.ndarray, "unit quantile"]:
    moments = summary.moments
    wanted = tuple(percent / 100 for percent in PERCENTILES)
    return summary.histogram.quantiles(wanted, moments.min.double(), moments.max.double())


def column_of(percent: float) -> str:
    """The column of a percentile: ``p99_9``."""
    return f"p{percent:g}".replace(".", "_")


def _manifest(
    model: Model, windows: Windows, recording: Recorder, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What the atlas was built from, without dates and paths, so that the same build gives the same bytes."""
    tokens = windows.tokens

    def described(site: Site) -> dict[str, Any]:
        residual = None if recording.rule is None else residual_at(model, site)
        return {
            "name": site.name,
            "width": width(model, site),
            "d_head": d_head(model) if site.kind in HEADED else None,
            "count": recording.summaries[site].moments.count,
            "sinks": 0 if residual is None else recording.sinks.get(residual, 0),
        }

    return {
        "schema": SCHEMA,
        **settings,
        "n_blocks": model.n_blocks,
        "final_norm": has_final_norm(model),
        "family": str(model.net.config.model_type),
        "tokenizer_sha256": tokens.tokenizer_sha256,
        "versions": library_versions(),
        "bos": windows.bos,
        "corpus": {
            "name": tokens.name,
            "sha256": tokens.text_sha256,
            "tokens": windows.n_tokens,
            "corpus_tokens": tokens.n_tokens,
            "documents": windows.n_documents,
            "windows": windows.n_windows,
            "window": windows.length,
            "attribution": tokens.attribution,
            "skipped": list(tokens.skipped),
        },
        "recorded": [described(site) for site in recording.sites],
        "units": sum(width(model, site) for site in recording.sites),
        "histogram_edges": list(edges()),
    }
