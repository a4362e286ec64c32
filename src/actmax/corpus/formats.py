"""What is read as text: one table of formats by their endings, and one of compressions.

Everything that reads files of text uses these two tables: corpora, groups, the help texts and the page
``docs/formats.md``. Endings are recognised in any case, and a name without an ending is read as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, TypeAlias

FormatName: TypeAlias = Literal["text", "json lines", "json", "csv", "parquet"]


@dataclass(frozen=True)
class Format:
    """A kind of file that holds text."""

    name: FormatName
    endings: tuple[str, ...]
    document: str
    """What is a document of a corpus."""
    sample: str
    """What is a sample of a group."""

    @property
    def has_fields(self) -> bool:
        """Whether the text stands in a field or column that has a name."""
        return self.name != "text"


@dataclass(frozen=True)
class Compression:
    """A way in which a whole file is compressed."""

    name: str
    ending: str
    magic: bytes
    """The first bytes of such a file."""


FORMATS = (
    Format(
        "text",
        (".txt", ".md", ".text"),
        "the file up to 40,000 characters; sections of about 10,000 of a longer one",
        "a line",
    ),
    Format("json lines", (".jsonl", ".ndjson", ".jsonlines"), "a line: an object, or a string", "a line"),
    Format(
        "json",
        (".json",),
        "an item of an array, an object by itself, or a value of the list or object in its field",
        "an item",
    ),
    Format("csv", (".csv", ".tsv"), "a row under a header; cells are separated by , ; | or tabs", "a row"),
    Format("parquet", (".parquet",), "a row; the column holds strings of any type, or UTF-8 bytes", "a row"),
)
"""Every format, in the order in which they are named."""

COMPRESSIONS = (
    Compression("gzip", ".gz", b"\x1f\x8b"),
    Compression("zstd", ".zst", b"\x28\xb5\x2f\xfd"),
    Compression("bzip2", ".bz2", b"BZh"),
    Compression("xz", ".xz", b"\xfd7zXZ\x00"),
)
"""Every compression; each may follow the ending of every format."""

ENDINGS = tuple(ending for one in FORMATS for ending in one.endings)
ENDINGS_TEXT = f"{', '.join(ENDINGS[:-1])} and {ENDINGS[-1]}"
COMPRESSIONS_TEXT = f"{', '.join(c.ending for c in COMPRESSIONS[:-1])} or {COMPRESSIONS[-1].ending}"

_TEXT = FORMATS[0]


@dataclass(frozen=True)
class FileKind:
    """How a file is read, by its name."""

    format: Format
    ending: str
    """The ending of the format, in lower case; empty where the name has none."""
    compression: Compression | None


def kind_of(name: str) -> FileKind | None:
    """How a file of this name is read, or None where its ending is not known.

    A name without an ending (``README``, ``notes.gz``) is that of a text.
    """
    path = PurePath(name)
    packed = next((one for one in COMPRESSIONS if one.ending == path.suffix.lower()), None)
    ending = (path.with_suffix("") if packed else path).suffix.lower()
    if ending in ("", "."):
        return FileKind(_TEXT, "", packed)
    known = next((one for one in FORMATS if ending in one.endings), None)
    return None if known is None else FileKind(known, ending, packed)


def has_known_ending(name: str) -> bool:
    """Whether a name ends in one of the formats' endings, with or without a compression's."""
    kind = kind_of(name)
    return kind is not None and kind.ending != ""
