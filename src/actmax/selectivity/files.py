"""Groups in files: one sample a line, or rows with a text, a label and a target.

``.txt``: each line is a text. ``.csv`` and ``.jsonl``: rows with ``text`` and, where there is one, ``label``,
``target`` (a word of the text that the sample is about; all of the text otherwise) and ``document`` (rows
with the same one are kept together when text is held out).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actmax.errors import ActmaxError, nearest


@dataclass(frozen=True)
class Row:
    """One sample of a file."""

    text: str
    label: str | None
    target: tuple[int, int] | None
    document: str | None


def read_rows(path: Path) -> list[Row]:
    """The samples of a file.

    Raises:
        ActmaxError: there is no such file, it is no text, or a row has no text or a target that is not in it.
    """
    if path.suffix not in (".txt", ".csv", ".jsonl"):
        raise ActmaxError(f"{str(path)!r} is no .txt, .csv or .jsonl file; save it as one of them.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ActmaxError(f"There is no file {str(path)!r}; `actmax select --list` names groups.") from error
    except UnicodeDecodeError as error:
        raise ActmaxError(f"{str(path)!r} is not UTF-8 text; save it as UTF-8.") from error
    except OSError as error:
        raise ActmaxError(f"{str(path)!r} cannot be read ({error.strerror}); mend that.") from error
    if path.suffix == ".txt":
        return [Row(line.strip(), None, None, None) for line in text.splitlines() if line.strip()]
    if path.suffix == ".csv":
        return [_row(row, f"line {n} of {path.name}") for n, row in enumerate(_table(text, path), start=2)]
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    return [_row(_object(line, f"line {n} of {path.name}"), f"line {n} of {path.name}") for n, line in lines]


def labels_of(rows: list[Row], path: Path) -> list[str]:
    """The labels of a file, in the order in which they appear.

    Raises:
        ActmaxError: a row has none.
    """
    missing = sum(row.label is None for row in rows)
    if missing:
        raise ActmaxError(
            f"{missing} of {len(rows)} rows of {path.name} have no label; fill them in or drop them."
        )
    return list(dict.fromkeys(row.label for row in rows if row.label is not None))


def with_label(rows: list[Row], label: str, path: Path) -> list[Row]:
    """The rows of one label.

    Raises:
        ActmaxError: there is none.
    """
    kept = [row for row in rows if row.label == label]
    if not kept:
        known = {row.label for row in rows if row.label is not None}
        raise ActmaxError(
            f"No row of {path.name} is labelled {label!r}; its labels are {nearest(label, known)}."
        )
    return kept


def _table(text: str, path: Path) -> list[Mapping[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(text), strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise ActmaxError(f"{path.name} is no table of comma-separated values ({error}); mend it.") from error
    if "text" not in (reader.fieldnames or ()):
        raise ActmaxError(f"{path.name} has no column 'text'; name the column with the texts so.")
    return [dict(row) for row in rows]


def _object(line: str, place: str) -> Mapping[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise ActmaxError(f"The {place} is not JSON; give one object a line.") from error
    if not isinstance(data, dict):
        raise ActmaxError(f'The {place} is no JSON object; write for example {{"text": "…"}}.')
    return data


def _row(data: Mapping[str, Any], place: str) -> Row:
    text = data.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ActmaxError(f"The {place} has no text; fill its field 'text' in, or drop it.")
    target = None
    if wanted := data.get("target"):
        begin = text.find(str(wanted))
        if begin < 0:
            raise ActmaxError(f"The target {wanted!r} of {place} is not in its text; mend it.")
        target = (begin, begin + len(str(wanted)))
    return Row(text, _label(data.get("label")), target, _label(data.get("document")))


def _label(value: Any) -> str | None:
    """As text; None for what is missing (empty, or how tables write NaN)."""
    text = "" if value is None else str(value).strip()
    return None if text.lower() in ("", "nan") else text
