"""Files of every format that hold given texts."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from actmax.corpus.formats import kind_of

TEXTS = ("the cat sat, on the mat", "“naïve” 東京 😀; a\tb | c", "the sea\u2028and the\x0cland")
"""Separators, characters beyond ASCII, and what other readers take for ends of lines."""


def packed_bytes(data: bytes, ending: str) -> bytes:
    """Bytes, compressed as an ending says."""
    if ending == ".zst":
        return bytes(pa.compress(data, codec="zstd", asbytes=True))
    compress: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        "": bytes,
    }
    return compress[ending](data)


def bytes_of_texts(texts: Sequence[str], ending: str, field: str = "text") -> bytes:
    """A file of records (or of lines) with these texts."""
    rows = [{"id": number, field: text} for number, text in enumerate(texts)]
    if ending in (".jsonl", ".ndjson", ".jsonlines"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if ending == ".json":
        return json.dumps(rows, ensure_ascii=False, indent=1).encode()
    if ending in (".csv", ".tsv"):
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, ["id", field], delimiter="\t" if ending == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode()
    if ending == ".parquet":
        sink = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), sink)
        return sink.getvalue()
    return "\n".join(texts).encode()


def write_texts(path: Path, texts: Sequence[str] = TEXTS, field: str = "text") -> Path:
    """Write texts in the format and compression that the path's endings say."""
    kind = kind_of(path.name)
    assert kind is not None
    compression = kind.compression.ending if kind.compression else ""
    path.write_bytes(packed_bytes(bytes_of_texts(texts, kind.ending, field), compression))
    return path
