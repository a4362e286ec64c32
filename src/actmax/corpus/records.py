"""Files of records: JSON, JSON lines, tables with separators, and parquet.

One reader serves corpora, which count records without text and continue, and groups, which refuse them. A
record is text and, where they are asked for, further fields beside it; what is wrong with it is a
:class:`Fault` that the caller counts or raises. Damage that would change the text of its neighbours (a row
with a cell too many, an open quotation mark) is an error for both.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from actmax.corpus import decode
from actmax.corpus.decode import decoded, lines_of, open_bytes, plain_read_errors
from actmax.corpus.fields import TEXT_FIELD, no_such_field, text_in
from actmax.corpus.formats import FileKind
from actmax.corpus.json_stream import json_values
from actmax.corpus.parquet import parquet_rows
from actmax.corpus.source import Skips
from actmax.errors import ActmaxError

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Fault:
    """Why a record gives no text: phrases for one and for many of them, and how a sentence goes on."""

    one: str
    many: str
    sentence: str


NOT_JSON = Fault(
    "line that is not JSON was left out",
    "lines that are not JSON were left out",
    "is not JSON; give one object per line",
)
TOO_LONG = Fault(
    f"line of more than {decode.LONGEST_LINE:,} characters was left out",
    f"lines of more than {decode.LONGEST_LINE:,} characters were left out",
    f"has more than {decode.LONGEST_LINE:,} characters; split it",
)
NO_FIELD = Fault(
    "record without text in the field was left out",
    "records without text in the field were left out",
    "has no text; fill its field in or drop it",
)
NO_TEXT = Fault(
    "row without text was left out", "rows without text were left out", "has no text; fill it in or drop it"
)


@dataclass(frozen=True)
class Record:
    """One record of a file."""

    place: str
    """The place in the file: ``line 3``."""
    text: str | None
    fields: Mapping[str, object] = field(default_factory=dict)
    """All its fields, or those that were asked for."""
    fault: Fault | None = None
    """The reason why there is no text; None where there is some."""


def read_records(
    path: Path,
    kind: FileKind,
    name: str,
    *,
    text_field: str = TEXT_FIELD,
    also: Sequence[str] = (),
    skips: Skips | None = None,
) -> Iterator[Record]:
    """The records of a file in their order, read as a stream.

    Args:
        path: the file.
        kind: its format, which is not that of plain text.
        name: as errors call it.
        text_field: the field or column with the text; ``meta.text`` is the field ``text`` of the object in
            ``meta`` unless a field has that whole name.
        also: further fields that a table gives where it has them.
        skips: counts bytes that were replaced; None refuses them.

    Raises:
        ActmaxError: the file cannot be read, is not of its format, or no record has the field; the sentence
            then names the fields that are there.
    """
    with plain_read_errors(path, name, kind.compression):
        if kind.format.name == "parquet":
            rows = parquet_rows(path, kind.compression, name, text_field, also)
            yield from (_record(f"row {number:,}", row, text_field, NO_TEXT) for number, row in rows)
            return
        with open_bytes(path, kind.compression) as stream:
            pieces = decoded(stream, name, skips)
            if kind.format.name == "csv":
                yield from _table_rows(pieces, kind, name, text_field)
            elif kind.format.name == "json":
                yield from _some_with_field(_json_items(pieces, name, text_field), name, text_field)
            else:
                yield from _some_with_field(_json_lines(pieces, text_field), name, text_field)


def _record(place: str, value: object, text_field: str, missing: Fault) -> Record:
    text = text_in(value, text_field)
    fields = value if isinstance(value, Mapping) else {}
    if isinstance(text, str):
        return Record(place, text, fields)
    return Record(place, None, fields, missing)


def _some_with_field(records: Iterator[Record], name: str, text_field: str) -> Iterator[Record]:
    """The records; an error at the end where not one of them had the field."""
    found = bad = lacking = 0
    there: dict[str, None] = {}
    for record in records:
        found += record.fault is None
        bad += record.fault is NOT_JSON
        lacking += record.fault is NO_FIELD
        if not found and len(there) <= 20:
            there |= dict.fromkeys(record.fields)
        yield record
    if not found and lacking:
        raise no_such_field(name, text_field, list(there))
    if bad > found + lacking:
        many = f"{bad:,} of {bad + found + lacking:,} lines are not" if found else "no line is"
        raise ActmaxError(
            f"{name!r} is not one JSON object per line ({many} JSON); name it .json if it is JSON of another"
            " shape, or .txt if it is text."
        )


def _json_lines(pieces: Iterator[str], text_field: str) -> Iterator[Record]:
    for number, line in lines_of(pieces):
        place = f"line {number:,}"
        if line is None:
            yield Record(place, None, fault=TOO_LONG)
        elif line.strip(" \t"):
            try:
                value: object = json.loads(line)
            except (ValueError, RecursionError):
                yield Record(place, None, fault=NOT_JSON)
            else:
                yield _record(place, value, text_field, NO_FIELD)


def _json_items(pieces: Iterator[str], name: str, text_field: str) -> Iterator[Record]:
    number = 0
    for value, by_itself in json_values(pieces, name):
        held = text_in(value, text_field) if by_itself else None
        values: Sequence[object] = [value]
        if isinstance(held, list | Mapping):  # one object with a list of texts, or with texts by their number
            fields = list(held.values() if isinstance(held, Mapping) else held)
            values = [{text_field: one} if isinstance(one, str) else one for one in fields]
        for one in values:
            number += 1
            yield _record(f"item {number:,}", one, text_field, NO_FIELD)


def _table_rows(pieces: Iterator[str], kind: FileKind, name: str, text_field: str) -> Iterator[Record]:
    numbered = ((number, _whole(number, line, name)) for number, line in lines_of(pieces))
    above, head = next(((number - 1, line) for number, line in numbered if line.strip()), (0, ""))
    if not head:
        return
    separator, columns = _columns(head, kind, name, text_field)
    lines = itertools.chain([head], (line for _, line in numbered))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    _next_row(reader, name, above)
    while True:
        first = reader.line_num + above + 1
        row = _next_row(reader, name, above)
        if row is None:
            return
        if not row or (len(row) == 1 < len(columns) and not row[0].strip()):
            continue
        if len(row) < len(columns) or any(row[len(columns) :]):
            raise ActmaxError(
                f"Line {first:,} of {name!r} has {len(row)} cells and the header {len(columns)}; put cells"
                f" that hold {_SEPARATORS[separator]} or ends of lines into quotation marks."
            )
        yield _record(f"line {first:,}", dict(zip(columns, row, strict=False)), text_field, NO_TEXT)


def _columns(head: str, kind: FileKind, name: str, text_field: str) -> tuple[str, list[str]]:
    """The separator under which the header names the field, and the names of all columns."""
    usual = "\t" if kind.ending == ".tsv" else ","
    choices: dict[str, list[str]] = {}
    for separator in sorted(_SEPARATORS, key=lambda one: one != usual):
        cells = _next_row(csv.reader([head], delimiter=separator, strict=True), name, 0) or []
        columns = choices[separator] = [cell.strip() for cell in cells]
        if columns.count(text_field) > 1:
            raise ActmaxError(f"{name!r} has several columns {text_field!r}; rename all but one of them.")
        if text_field in columns:
            return separator, columns
    raise no_such_field(name, text_field, max(choices.values(), key=len))


def _next_row(reader: Iterator[list[str]], name: str, above: int) -> list[str] | None:
    """The next row, None at the end; the limit on cells is raised while it is read, for it is global."""
    limit = csv.field_size_limit(decode.LONGEST_LINE)
    try:
        return next(reader, None)
    except csv.Error as error:
        reason = str(error).replace("\t", "a tab")
        line = reader.line_num + above  # type: ignore[attr-defined]
        raise ActmaxError(
            f"{name!r} is not a table that can be read ({reason}, up to line {line:,}); double the quotation"
            " marks inside cells, and close those around them."
        ) from error
    finally:
        csv.field_size_limit(limit)


def _whole(number: int, line: str | None, name: str) -> str:
    """The next line, with its end."""
    if line is None:
        raise ActmaxError(f"Line {number:,} of {name!r} {TOO_LONG.sentence}.")
    return line + "\n"
