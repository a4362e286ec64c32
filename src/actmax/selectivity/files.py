"""Groups in files: a sample per line of text, or per record with a text, a label and a target.

Every format that corpora are read from is read (:mod:`actmax.corpus.formats`). A line of a text file is a
sample, without the white space at its ends. A record has ``text`` and, where there is one, ``label``,
``target`` (a word of the text that the sample is about; all of the text otherwise) and ``document`` (records
with the same one stay together when text is held out). What cannot be read exactly is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unicodedata import category

from actmax.corpus.decode import decoded, lines_of, open_bytes, plain_read_errors
from actmax.corpus.fields import printable
from actmax.corpus.formats import COMPRESSIONS_TEXT, ENDINGS_TEXT, FileKind, has_known_ending, kind_of
from actmax.corpus.records import TOO_LONG, read_records
from actmax.errors import ActmaxError, nearest
from actmax.selectivity.find import is_word

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Characters of scripts without spaces between words (Thai, Lao, Burmese, Khmer, Chinese, Japanese)."""


@dataclass(frozen=True)
class GroupRow:
    """One sample of a file."""

    text: str
    label: str | None
    target: tuple[int, int] | None
    document: str | None


def read_rows(path: Path) -> list[GroupRow]:
    """The samples of a file.

    Raises:
        ActmaxError: there is no such file, it is not text, or a record has no text or a target that is not a
            word of it.
    """
    kind = kind_of(path.name)
    if kind is None:
        raise ActmaxError(
            f"{str(path)!r} ends in {printable(path.suffix, 20)}; groups are read from {ENDINGS_TEXT} files,"
            f" each also with {COMPRESSIONS_TEXT}."
        )
    if path.is_dir():
        raise ActmaxError(f"{str(path)!r} is a folder; name one of its files.")
    if not path.exists():
        raise ActmaxError(f"There is no file {str(path)!r}; `actmax select --list` names groups.")
    return list(_records(path, kind) if kind.format.has_fields else _lines(path, kind))


def file_and_label(name: str) -> tuple[Path, str | None] | None:
    """The file that a group's name means, and its label; None where the name is not that of a file.

    A label follows the last ``#`` after the name of a file: a folder may have one in its name.
    """
    cuts = [len(name), *(k for k in range(len(name) - 1, 0, -1) if name[k] == "#")]
    for cut in cuts:
        if Path(name[:cut]).is_file():
            return Path(name[:cut]), name[cut + 1 :] if cut < len(name) else None
    for cut in cuts:  # a file that is not there, or a folder: the caller says so
        if has_known_ending(name[:cut]) or Path(name[:cut]).is_dir():
            return Path(name[:cut]), name[cut + 1 :] if cut < len(name) else None
    return None


def has_labels(name: str) -> bool:
    """Whether a group's name is that of a file whose records can have labels."""
    found = file_and_label(name)
    kind = None if found is None or found[1] is not None else kind_of(found[0].name)
    return kind is not None and kind.format.has_fields


def labels_of(rows: list[GroupRow], path: Path) -> list[str]:
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


def with_label(rows: list[GroupRow], label: str, path: Path) -> list[GroupRow]:
    """The rows of one label.

    Raises:
        ActmaxError: there is none.
    """
    chosen = [row for row in rows if row.label == label]
    if not chosen:
        known = {row.label for row in rows if row.label is not None}
        has = f"its labels are {nearest(label, known)}" if known else "it has no labels"
        raise ActmaxError(f"No row of {path.name} has the label {label!r}; {has}.")
    return chosen


def _lines(path: Path, kind: FileKind) -> Iterator[GroupRow]:
    with plain_read_errors(path, path.name, kind.compression), open_bytes(path, kind.compression) as stream:
        for number, line in lines_of(decoded(stream, path.name, None)):
            if line is None:
                raise ActmaxError(f"Line {number:,} of {path.name!r} {TOO_LONG.sentence}.")
            if line.strip():
                yield GroupRow(line.strip(), None, None, None)


def _records(path: Path, kind: FileKind) -> Iterator[GroupRow]:
    for record in read_records(path, kind, path.name, also=("label", "target", "document")):
        place = f"{record.place} of {path.name}"
        if record.fault is not None:
            raise ActmaxError(f"{_capital(place)} {record.fault.sentence}.")
        yield _row(record.text or "", record.fields, place)


def _row(text: str, fields: Mapping[str, object], place: str) -> GroupRow:
    if not text.strip():
        raise ActmaxError(f"{_capital(place)} has no text; fill it in or drop it.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ActmaxError(
            f"{_capital(place)} holds half of a surrogate pair ; write the whole character."
        ) from error
    target = None
    if (wanted := _word(fields.get("target"), place)) is not None:
        target = _place_of(wanted, text, place)
    return GroupRow(text, _label(fields.get("label"), place), target, _label(fields.get("document"), place))


def _place_of(wanted: str, text: str, place: str) -> tuple[int, int]:
    """The characters of the first whole occurrence of a target: ``cat`` before ``cat's``, never ``cats``."""
    found = [(at.start(), at.start() + len(wanted)) for at in re.finditer(f"(?={re.escape(wanted)})", text)]
    apart = [span for span in found if not (_goes_on(text, span[0]) or _goes_on(text, span[1]))]
    if apart:
        return next((span for span in apart if is_word(text, *span)), apart[0])
    if found:
        raise ActmaxError(
            f"The target {wanted!r} of {place} is in its text only inside longer words; write the whole word."
        )
    raise ActmaxError(f"The target {wanted!r} of {place} is not in its text; write it as it stands there.")


def _goes_on(text: str, cut: int) -> bool:
    """Whether a word goes on across a cut: there are letters or digits on both sides, or a combining mark."""
    if not 0 < cut < len(text):
        return False
    before, after = text[cut - 1], text[cut]
    return category(after).startswith("M") or (_in_word(before) and _in_word(after))


def _in_word(character: str) -> bool:
    letter = character.isalnum() or character == "_" or category(character).startswith("M")
    return letter and not _UNSPACED.match(character)


def _word(value: object, place: str) -> str | None:
    """A target as text; None where there is none (null, empty, or how tables write NaN)."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ActmaxError(f"The target of {place} is {value!r}; give a word of its text.")
    return str(value)


def _label(value: object, place: str) -> str | None:
    """A label as text; None for what is missing (null, empty, or how tables write NaN)."""
    if isinstance(value, Mapping | list):
        raise ActmaxError(f"The label or document of {place} is {value!r}; give a word.")
    text = "" if value is None else str(value).strip()
    return None if text.lower() in ("", "nan") else text


def _capital(place: str) -> str:
    return place[:1].upper() + place[1:]
