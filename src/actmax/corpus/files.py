"""Corpora from files: texts and records of every known format, folders of them, and stdin.

A record (a line of JSON, an item of a JSON array, a row of a table or of parquet) is a document. A text file
is one document up to 40,000 characters; a longer one is read as sections of about 10,000, cut at blank lines
where there are any, each a document named after the file and its place in it: so a book gives examples from
all over it, and no file has to fit into memory.

A file that cannot be read is an error where it was named itself, and is left out and counted where it came
with a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from actmax.cache import sha256_of
from actmax.corpus.decode import Readable, check_head, decoded, open_bytes, plain_read_errors
from actmax.corpus.fields import printable
from actmax.corpus.formats import COMPRESSIONS_TEXT, ENDINGS_TEXT, FileKind, kind_of
from actmax.corpus.names import expanded, no_such_corpus
from actmax.corpus.records import read_records
from actmax.corpus.source import CorpusSource, Document, Skips, cut_at
from actmax.errors import ActmaxError

SECTION = 10_000
"""The approximate length of a section of a long text file, in characters."""
WHOLE = 4 * SECTION
"""The length up to which a text file is one document, in characters."""

_HEAD = 1 << 13


def file_source(name: str, *, field: str) -> CorpusSource:
    """A file, or all files of a folder and the folders in it, in the order of their names.

    Args:
        name: the path.
        field: which field of a record holds the text.

    Raises:
        ActmaxError: there is nothing at ``name``, or its format is not known.
    """
    path = expanded(name)
    with plain_read_errors(path, name, None):
        if name and path.is_dir():
            return _folder(path, field)
        if name and path.is_fifo():
            return CorpusSource(path.name, lambda skips: _piped(path, skips), key=None)
        if not name or not path.is_file():
            raise no_such_corpus(name)
        kind = kind_of(path.name)
        if kind is None:
            with path.open("rb") as file:
                raise _unknown_kind(path, file.read(_HEAD))
        key = _key(path, kind, field)
    return CorpusSource(
        path.name,
        lambda skips: _documents(path, kind, path.name, field, skips),
        key,
        has_fields=kind.format.has_fields,
    )


def stdin_source(stream: BinaryIO, *, terminal: bool) -> CorpusSource:
    """Text on stdin.

    Raises:
        ActmaxError: stdin is a terminal, so nobody would see that input is awaited.
    """
    if terminal:
        raise ActmaxError("The corpus - is text on stdin, and nothing is piped into it; give a path instead.")
    return CorpusSource("stdin", lambda skips: text_documents(stream, "stdin", skips), key=None)


def _folder(folder: Path, field: str) -> CorpusSource:
    files, other = _files_under(folder)
    chosen = [(path, kind) for path in files if (kind := kind_of(path.name)) is not None and kind.ending]
    taken = {path for path, _ in chosen}
    other += Counter(printable(path.suffix.lower(), 20) or "no ending" for path in files if path not in taken)
    left = ", ".join(f"{ending} ({n:,})" if n > 1 else ending for ending, n in sorted(other.items()))
    if not chosen:
        holds = f"it holds {left}" if left else "it is empty"
        raise ActmaxError(
            f"The folder {str(folder)!r} holds no file that is read as text: {holds}; read are"
            f" {ENDINGS_TEXT}, each also with {COMPRESSIONS_TEXT}."
        )
    keys = [f"others {left}"]
    for path, kind in chosen:
        name = path.relative_to(folder).as_posix()
        try:
            keys.append(f"{name} {_key(path, kind, field)}")
        except OSError:
            keys.append(f"{name} unreadable")

    def documents(skips: Skips) -> Iterator[Document]:
        skips.add(
            f"file of another kind was left out ({left})",
            f"files of other kinds were left out ({left})",
            other.total(),
        )
        for path, kind in chosen:
            name = path.relative_to(folder).as_posix()
            try:
                yield from _documents(path, kind, name, field, skips)
            except ActmaxError as error:
                skips.add(
                    "file that cannot be read was left out from there on",
                    "files that cannot be read were left out from there on",
                    example=str(error).rstrip("."),
                )

    name = folder.absolute().name or str(folder)
    return CorpusSource(
        name, documents, "\n".join(keys), has_fields=any(k.format.has_fields for _, k in chosen)
    )


def _files_under(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The files of a folder in order, without hidden ones, and what in it is not a file.

    Links to folders are followed, and a folder is read once.
    """
    files: list[Path] = []
    other: Counter[str] = Counter()
    seen = {folder.resolve()}
    for root, folders, names in os.walk(folder, followlinks=True):
        fresh = []
        for inner in sorted(one for one in folders if not one.startswith(".")):
            real = Path(root, inner).resolve()
            if real in seen:
                other["a link to a folder that is read already"] += 1
            else:
                seen.add(real)
                fresh.append(inner)
        folders[:] = fresh
        for path in (Path(root, one) for one in names if not one.startswith(".")):
            if path.is_file():
                files.append(path)
            else:
                other["a link to nothing" if path.is_symlink() else "a device or pipe"] += 1
    return sorted(files), other


def _documents(path: Path, kind: FileKind, name: str, field: str, skips: Skips) -> Iterator[Document]:
    if not kind.format.has_fields:
        with (
            plain_read_errors(path, name, kind.compression),
            open_bytes(path, kind.compression) as stream,
        ):
            yield from text_documents(stream, name, skips)
        return
    for record in read_records(path, kind, name, text_field=field, skips=skips):
        if record.text is not None:
            yield Document(f"{name} {record.place}", record.text)
        elif record.fault is not None:
            skips.add(record.fault.one, record.fault.many)


def _piped(path: Path, skips: Skips) -> Iterator[Document]:
    with plain_read_errors(path, path.name, None), path.open("rb") as stream:
        yield from text_documents(stream, path.name, skips)


def text_documents(stream: Readable, name: str, skips: Skips) -> Iterator[Document]:
    """A stream of text as one document, or as sections where it is long.

    Raises:
        ActmaxError: it is not UTF-8 text.
    """
    buffer, at, place = "", 0, 0  # ``at``: where the next section begins; ``place``: the same in the file
    for piece in decoded(stream, name, skips):
        buffer, at = buffer[at:] + piece, 0
        while len(buffer) - at > WHOLE:
            cut = buffer.find("\n\n", at + SECTION, at + WHOLE) + 2
            cut = cut if cut > 1 else at + cut_at(buffer[at : at + 2 * SECTION])
            yield Document(f"{name} from character {place:,}", buffer[at:cut])
            place, at = place + cut - at, cut
    yield Document(f"{name} from character {place:,}" if place else name, buffer[at:])


def _unknown_kind(path: Path, head: bytes) -> ActmaxError:
    """The error for a file whose ending is not known; the remedy depends on whether the file holds text."""
    with contextlib.suppress(UnicodeDecodeError):
        check_head(path.name, head)
        head[: -4 if len(head) == _HEAD else None].decode("utf-8")
        return ActmaxError(
            f"{path.name!r} ends in {printable(path.suffix, 20)}, and only {ENDINGS_TEXT} are read, each also"
            f" with {COMPRESSIONS_TEXT}; if it is plain text, pipe it in: --corpus - < FILE."
        )
    return ActmaxError(f"{path.name!r} is not UTF-8 text; read are {ENDINGS_TEXT} files.")


def _key(path: Path, kind: FileKind, field: str) -> str:
    """A hash of the file's bytes, of how they are read, and of the field where the format has fields."""
    used = field if kind.format.has_fields else ""
    return hashlib.sha256(f"{kind.ending} {kind.compression} {used} {sha256_of(path)}".encode()).hexdigest()
