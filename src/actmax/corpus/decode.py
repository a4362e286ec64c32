"""From the bytes of a file to its text: decompression, UTF-8, and ends of lines.

1. Bytes are decompressed as a stream, by the standard library (gzip, xz) and pyarrow (zstd, bzip2).
2. Only UTF-8 is read, with or without a byte order mark. UTF-16 and UTF-32 are recognised by their marks or
   by where their zero bytes lie, other binary content by NUL and control characters; all of these are refused
   by name.
3. Bytes that are not UTF-8 are refused where they show another encoding: no more than one in ten of the
   characters beyond ASCII may be broken. Rarer ones are replaced by U+FFFD and counted, unless the caller
   reads strictly.
4. ``\\r\\n`` and ``\\r`` become ``\\n``. Nothing else ends a line: form feeds, U+0085, U+2028 and
   the like are characters of the text.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from actmax.corpus.fields import printable
from actmax.corpus.formats import COMPRESSIONS, ENDINGS_TEXT, Compression
from actmax.corpus.source import Skips
from actmax.errors import ActmaxError

LONGEST_LINE = 1 << 24
"""The longest line that is read, in characters."""

_CHUNK = 1 << 20
_HEAD = 1 << 13
_CODECS = {"bzip2": "bz2", "zstd": "zstd"}
_ESCAPED = re.compile("[\udc80-\udcff]")
_ONE_REPLACED = "byte sequence was not UTF-8 and was replaced"
_MANY_REPLACED = "byte sequences were not UTF-8 and were replaced"


@runtime_checkable
class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


@contextlib.contextmanager
def open_bytes(path: Path, compression: Compression | None) -> Iterator[Readable]:
    """The decompressed bytes of a file."""
    if compression is None:
        with path.open("rb") as plain:
            yield plain
    elif compression.name == "gzip":
        with gzip.open(path, "rb") as unpacked:
            yield unpacked
    elif compression.name == "xz":
        with path.open("rb") as file:
            yield _Xz(file)
    else:
        import pyarrow as pa

        with (
            pa.OSFile(str(path)) as source,
            pa.CompressedInputStream(source, _CODECS[compression.name]) as out,
        ):
            yield out


class _Xz:
    """An xz file as a stream. The standard library's own ignores what follows the first damaged stream."""

    def __init__(self, file: Readable) -> None:
        self.file = file
        self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)

    def read(self, size: int, /) -> bytes:
        while True:
            data = b""
            if self.decoder.eof:
                data = self.decoder.unused_data.lstrip(b"\0")  # zeros between streams are padding
                while not data and (more := self.file.read(size)):
                    data = more.lstrip(b"\0")
                if not data:
                    return b""
                self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)
            elif self.decoder.needs_input and not (data := self.file.read(size)):
                raise EOFError("it ends before its end marker")
            if piece := self.decoder.decompress(data, size):
                return piece


@contextlib.contextmanager
def plain_read_errors(path: Path, name: str, compression: Compression | None) -> Iterator[None]:
    """Turn errors of the operating system and of the decompressors into a sentence."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        said = printable(str(error)).rstrip(".")
        if compression is not None and getattr(error, "errno", None) is None:
            raise ActmaxError(
                f"{name!r} is not a whole {compression.name} file ({said}); make or copy it again."
            ) from error
        reason = getattr(error, "strerror", None) or said
        raise ActmaxError(f"{str(path)!r} cannot be read ({reason}); check its permissions.") from error


def decoded(stream: Readable, name: str, skips: Skips | None) -> Iterator[str]:
    """The text of a stream in pieces, with ``\\n`` at the end of every line.

    Args:
        stream: decompressed bytes.
        name: as errors call the file.
        skips: counts what was replaced; None refuses every byte that is not UTF-8.

    Raises:
        ActmaxError: the stream is not UTF-8 text.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    data = stream.read(_HEAD)
    check_head(name, data)
    place = broken = beyond = 0  # bytes read so far; broken sequences; characters beyond ASCII
    while True:
        if (zero := data.find(b"\0")) >= 0:
            raise _binary(name, place + zero, 0)
        text = decoder.decode(data, final=not data)
        place += len(data)
        if not text.isascii():
            beyond += len(text) - len(text.encode("ascii", "ignore"))
        if not text.isascii() and (found := _ESCAPED.search(text)):
            pending = len(decoder.getstate()[0])
            offset = place - pending - len(text[found.start() :].encode("utf-8", "surrogateescape"))
            text, count = _replaced(text)
            broken += count
            if skips is None or broken * 10 > beyond:
                raise _other_encoding(name, offset, ord(found[0]) - 0xDC00)
            skips.add(_ONE_REPLACED, _MANY_REPLACED, count)
        if piece := newlines.decode(text, final=not data):
            yield piece
        if not data:
            return
        data = stream.read(_CHUNK)


def lines_of(pieces: Iterator[str]) -> Iterator[tuple[int, str | None]]:
    """The lines of a text with their numbers, without their ends; None stands for one that is too long."""
    number, size = 1, 0
    held: list[str] = []
    for piece in pieces:
        *whole, rest = piece.split("\n")
        for part in whole:
            held.append(part)
            yield number, "".join(held) if size + len(part) <= LONGEST_LINE else None
            held, size, number = [], 0, number + 1
        size += len(rest)
        held = [*held, rest] if size <= LONGEST_LINE else []
    if size:
        yield number, "".join(held) if size <= LONGEST_LINE else None


def check_head(name: str, head: bytes) -> None:
    """Refuse data whose first bytes show that it is not UTF-8 text.

    Raises:
        ActmaxError: the bytes are UTF-16 or UTF-32, compressed, or those of a binary file.
    """
    if wide := _wide_encoding(head):
        raise ActmaxError(
            f"{name!r} is not UTF-8 text but {wide}; convert it: iconv -f {wide} -t UTF-8 FILE > NEW."
        )
    for one in COMPRESSIONS:
        if head.startswith(one.magic):
            raise ActmaxError(
                f"{name!r} is not UTF-8 text but {one.name} data; add {one.ending} to the file's name."
            )
    if head.startswith(b"PAR1"):
        raise ActmaxError(f"{name!r} is not UTF-8 text but parquet data; let its name end in .parquet.")
    control = [k for k, byte in enumerate(head) if byte < 32 and byte not in b"\t\n\v\f\r\x1b"]
    if b"\0" in head or (len(control) - 4) * 10 > len(head):
        raise _binary(name, control[0], head[control[0]])


def _wide_encoding(head: bytes) -> str:
    """The name of UTF-16 or UTF-32 where the bytes are that, by a mark or by their zeros; else empty."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    zeros = [head[k : len(head) // 4 * 4 : 4].count(0) * 4 / max(len(head) // 4 * 4, 1) for k in range(4)]
    for name, empty, full in (("UTF-32LE", (2, 3), 0), ("UTF-32BE", (0, 1), 3)):
        if len(head) >= 4 and all(zeros[k] > 0.9 for k in empty) and zeros[full] < 0.1:
            return name
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if odd / half > 0.3 and even / half < 0.03:
        return "UTF-16LE"
    return "UTF-16BE" if even / half > 0.3 and odd / half < 0.03 else ""


def _replaced(text: str) -> tuple[str, int]:
    """A text with U+FFFD for what could not be decoded, and how many sequences of bytes that were."""
    own = text.count("\ufffd")
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return clean, clean.count("\ufffd") - own


def _other_encoding(name: str, offset: int, byte: int) -> ActmaxError:
    return ActmaxError(
        f"{name!r} is not UTF-8 text: the byte 0x{byte:02X} at offset {offset:,} does not belong there;"
        " convert it from its encoding, for example: iconv -f LATIN1 -t UTF-8 FILE > NEW."
    )


def _binary(name: str, offset: int, byte: int) -> ActmaxError:
    return ActmaxError(
        f"{name!r} is not UTF-8 text: the byte 0x{byte:02X} at offset {offset:,} is one of binary files; read"
        f" are {ENDINGS_TEXT} files."
    )
