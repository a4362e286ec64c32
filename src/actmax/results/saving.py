"""How results of several kinds are written and read: ``result.json``, ``manifest.json``, ``report.html``."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from actmax.results.manifest import Manifest
from actmax.results.plain import from_plain, json_text, to_plain
from actmax.results.rendering import renderer_of
from actmax.results.store import read_json, write_files

RESULT, MANIFEST, REPORT = "result.json", "manifest.json", "report.html"

T = TypeVar("T")


def result_json(result: Any, schema: str) -> dict[str, Any]:
    """A result without its manifest, beginning with its schema."""
    plain: dict[str, Any] = to_plain(result)
    del plain["manifest"]
    return {"schema": schema, **plain}


def save_result(result: Any, schema: str, folder: str | os.PathLike[str]) -> None:
    """Write the three files: all, or none.

    Raises:
        ActmaxError: the folder cannot be made or written to, or its disk is full.
    """
    write_files(
        folder,
        {
            RESULT: json_text(result_json(result, schema)).encode(),
            MANIFEST: json_text(result.manifest.to_json()).encode(),
            REPORT: renderer_of(schema).page(result).encode(),
        },
    )


def load_result(kind: type[T], schema: str, folder: str | os.PathLike[str]) -> T:
    """What :func:`save_result` wrote.

    Raises:
        ActmaxError: a file is missing, was changed, or is of another kind or version.
    """
    place = Path(folder)
    data = read_json(place / RESULT, schema)
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # always a dataclass
    manifest = read_json(place / MANIFEST, Manifest.schema)
    found = {name: value for name, value in data.items() if name in known}
    return from_plain(kind, {**found, "manifest": manifest}, RESULT)
