"""Corpora from files: text, JSON lines and parquet, folders of them, and stdin.

A ``.jsonl`` line and a ``.parquet`` row is a document. A text file is one document up to 40,000 characters; a
longer one is read as sections of about 10,000, cut at blank lines where there are any, each a document named
after the file and its place in it: so a book gives examples from all over it, and no file has to fit into
memory.

Bytes that are no UTF-8 become the replacement character and are counted. What cannot be read at all ends in a
sentence where it was named itself, and is counted and left out where it came with a folder.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from actmax.cache import sha256_of
from actmax.corpus.source import Document, Skips, Source, cut_at
from actmax.errors import ActmaxError, nearest

SECTION = 10_000
"""Characters of a long text file that make a document, about."""
WHOLE = 4 * SECTION
"""A text file up to this length is one document."""
LONGEST_LINE = 1 << 24
"""Bytes of a line of JSON; longer ones are left out."""
KINDS = (".txt", ".jsonl", ".parquet")

_CHUNK = 1 << 20
_HEAD = 1 << 13
_REPLACED = ("byte sequence was no UTF-8 and was replaced", "byte sequences were no UTF-8 and were replaced")


def file_source(name: str, *, field: str, known: Sequence[str]) -> Source:
    """A file, or all files of a folder and the folders in it, in the order of their names.

    Raises:
        ActmaxError: there is nothing at ``name``, or it is of no kind that can be read.
    """
    path = Path(name).expanduser()
    try:
        if path.is_dir():
            return _folder(path, field)
        if not path.is_file():
            raise ActmaxError(
                f"There is no corpus {name!r}: no file or folder of that name; give a path, or"
                f" {nearest(name, known)}."
            )
        if path.suffix.lower() not in KINDS:
            check_text(path.name, _head(path))
        key = _key(path, field)
    except OSError as error:
        raise _unreadable(path, error) from error

    def documents(skips: Skips) -> Iterator[Document]:
        try:
            yield from _documents(path, path.name, field, skips)
        except OSError as error:
            raise _unreadable(path, error) from error

    return Source(path.name, documents, key)


def stdin_source(stream: BinaryIO, *, terminal: bool) -> Source:
    """Text on stdin.

    Raises:
        ActmaxError: stdin is a terminal, so nobody would know what is waited for.
    """
    if terminal:
        raise ActmaxError("The corpus - is text on stdin, and nothing is piped into it; give a path instead.")
    return Source("stdin", lambda skips: text_documents(stream, "stdin", skips), key=None)


def _folder(folder: Path, field: str) -> Source:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    chosen = [path for path in files if path.suffix.lower() in KINDS]
    if not chosen:
        raise ActmaxError(
            f"The folder {str(folder)!r} holds no {', '.join(KINDS)} file; name the files themselves if they"
            " are text of another kind."
        )
    keys = [f"others {len(files) - len(chosen)}"]
    for path in chosen:
        try:
            keys.append(f"{path.relative_to(folder).as_posix()} {_key(path, field)}")
        except OSError:
            keys.append(f"{path.relative_to(folder).as_posix()} unreadable")

    def documents(skips: Skips) -> Iterator[Document]:
        others = len(files) - len(chosen)
        skips.add("file of another kind was left out", "files of other kinds were left out", others)
        for path in chosen:
            try:
                yield from _documents(path, path.relative_to(folder).as_posix(), field, skips)
            except (ActmaxError, OSError):
                skips.add(
                    "file that cannot be read was left out from there on",
                    "files that cannot be read were left out from there on",
                )

    return Source(folder.absolute().name or str(folder), documents, "\n".join(keys))


def _documents(path: Path, name: str, field: str, skips: Skips) -> Iterator[Document]:
    kind = path.suffix.lower()
    if kind == ".parquet":
        yield from _parquet_documents(path, name, field, skips)
        return
    with path.open("rb") as file:
        if kind == ".jsonl":
            yield from _json_documents(file, name, field, skips)
        else:
            yield from text_documents(file, name, skips)


def text_documents(stream: BinaryIO, name: str, skips: Skips) -> Iterator[Document]:
    """A stream of text as one document, or as sections where it is long.

    Raises:
        ActmaxError: its beginning is not text.
    """
    head = stream.read(_HEAD)
    check_text(name, head)
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    buffer, place, marks = "", 0, 0
    data = head
    while True:
        text = decoder.decode(data, final=not data)
        marks += text.count("\ufffd") - _own_marks(data)
        buffer += text
        while len(buffer) > WHOLE:
            cut = buffer.find("\n\n", SECTION, WHOLE) + 2
            cut = cut if cut > 1 else cut_at(buffer[: 2 * SECTION])
            yield Document(f"{name} from character {place:,}", buffer[:cut])
            buffer, place = buffer[cut:], place + cut
        if not data:
            break
        data = stream.read(_CHUNK)
    skips.add(*_REPLACED, max(marks, 0))
    yield Document(f"{name} from character {place:,}" if place else name, buffer)


def _own_marks(data: bytes) -> int:
    """Replacement characters that the text itself holds (one cut by the end of a chunk counts as broken)."""
    return data.count(b"\xef\xbf\xbd")


def _json_documents(stream: BinaryIO, name: str, field: str, skips: Skips) -> Iterator[Document]:
    bad = lacking = found = number = 0
    fields: list[str] = []
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST_LINE)
            size = LONGEST_LINE >> 20
            skips.add(
                f"line longer than {size} MiB was left out", f"lines longer than {size} MiB were left out"
            )
            continue
        if not line.strip():
            continue
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")
        replaced = text.count("\ufffd") - _own_marks(line)
        try:
            row: Any = json.loads(text)
        except (ValueError, RecursionError):
            bad += 1
            continue
        if not isinstance(row, dict) or not isinstance(row.get(field), str):
            lacking += 1
            fields = fields or (list(row) if isinstance(row, dict) else [])
            continue
        found += 1
        skips.add(*_REPLACED, replaced)
        yield Document(f"{name} line {number:,}", row[field])
    if not found and lacking:
        raise _no_field(name, field, fields)
    if not found and bad:
        raise ActmaxError(f"{name!r} holds no line of JSON; give one JSON object a line, or a .txt file.")
    skips.add("line that is no JSON was left out", "lines that are no JSON were left out", bad)
    skips.add("line without the field was left out", "lines without the field were left out", lacking)


def _parquet_documents(path: Path, name: str, field: str, skips: Skips) -> Iterator[Document]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            if field not in file.schema_arrow.names:
                raise _no_field(name, field, file.schema_arrow.names)
            kind = file.schema_arrow.field(field).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise ActmaxError(f"The column {field!r} of {name!r} holds no text; give another --field.")
            row = 0
            for batch in file.iter_batches(batch_size=64, columns=[field]):
                for value in batch.column(0).to_pylist():
                    row += 1
                    if value is None:
                        skips.add("row without text was left out", "rows without text were left out")
                    else:
                        yield Document(f"{name} row {row:,}", value)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise ActmaxError(
            f"{name!r} is no whole parquet file of UTF-8 text; make or copy it again."
        ) from error


def check_text(name: str, head: bytes) -> None:
    """Refuse what is not UTF-8 text by its first bytes; single NUL or broken bytes are text's own trouble.

    Raises:
        ActmaxError: UTF-16, or a tenth of it (and more than four) are control characters or no UTF-8.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ActmaxError(f"{name!r} is UTF-16; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8).")
    text = head.decode("utf-8", errors="replace")
    odd = sum(c == "\ufffd" or (ord(c) < 32 and c not in "\t\n\v\f\r\x1b") for c in text)
    if (odd - 4) * 10 > len(text):
        raise ActmaxError(
            f"{name!r} is not UTF-8 text; give a text file, or {', '.join(KINDS[1:])} with that ending."
        )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _key(path: Path, field: str) -> str:
    """Of the file's bytes, and the field where it matters."""
    used = "" if path.suffix.lower() == ".txt" else field
    return hashlib.sha256(f"{path.suffix.lower()} {used} {sha256_of(path)}".encode()).hexdigest()


def _no_field(name: str, field: str, fields: Sequence[str]) -> ActmaxError:
    there = f"it has {', '.join(fields[:6])}" if fields else "its lines are no objects"
    return ActmaxError(f"{name!r} has no text in a field {field!r} ({there}); name one with --field.")


def _unreadable(path: Path, error: OSError) -> ActmaxError:
    return ActmaxError(f"The corpus {str(path)!r} cannot be read ({error.strerror or error}); mend that.")
