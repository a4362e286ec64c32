"""The rows of a parquet file, a few at a time, whatever type its text has.

Strings are read in every representation that parquet files have (plain, large, views, dictionaries), and so
are bytes where they are UTF-8, which is how some writers store text. Other columns are refused by their type.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from actmax.corpus.decode import open_bytes
from actmax.corpus.fields import no_such_field, printable, text_in
from actmax.corpus.formats import Compression
from actmax.errors import ActmaxError

_STRINGS = ("string", "large_string", "string_view", "null")
_BYTES = ("binary", "large_binary", "binary_view", "fixed_size_binary")
_ROWS = 64
_PIECE = 1 << 20


def parquet_rows(
    path: Path, compression: Compression | None, name: str, text_field: str, also: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Numbered rows (from 1) with the column of the text and those columns of ``also`` that exist.

    Args:
        path: the file.
        compression: of the whole file; it is then unpacked into a temporary one.
        name: as errors call it.
        text_field: a column, or ``meta.text`` for a field in a column of objects.
        also: further columns.

    Raises:
        ActmaxError: the file is damaged, or has no such column of text.
    """
    from pyarrow import parquet

    with contextlib.ExitStack() as stack:
        if compression is not None:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "unpacked"
            with open_bytes(path, compression) as packed, scratch.open("wb") as unpacked:
                while piece := packed.read(_PIECE):
                    unpacked.write(piece)
            path = scratch
        with _damage(name):
            # Mapped, because reading would take the whole column of a group of rows into memory at once.
            opened = parquet.ParquetFile(path, memory_map=True, page_checksum_verification=True)
            file = stack.enter_context(opened)
            schema = file.schema_arrow
        binary = _check_column(schema, name, text_field)
        columns = list(dict.fromkeys([text_field, *(one for one in also if one in schema.names)]))
        number = 0
        with _damage(name):
            batches = file.iter_batches(batch_size=_ROWS, columns=columns)
        while True:
            with _damage(name):
                rows = next((batch.to_pylist() for batch in batches), None)
            if rows is None:
                return
            for row in rows:
                number += 1
                yield number, _as_text(row, text_field, name, number) if binary else row


def _check_column(schema: Any, name: str, text_field: str) -> bool:
    """Refuse a column without text; return whether its texts are bytes."""
    import pyarrow as pa

    kind = _type_at(schema, text_field)
    if kind is None:
        raise no_such_field(name, text_field, schema.names)
    while pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    if any(getattr(pa.types, f"is_{one}")(kind) for one in _STRINGS):
        return False
    if any(getattr(pa.types, f"is_{one}")(kind) for one in _BYTES):
        return True
    columns = ", ".join(printable(f"{field.name} ({field.type})", 60) for field in list(schema)[:6])
    raise ActmaxError(
        f"The column {text_field!r} of {name!r} holds {printable(str(kind), 60)} and not text; its columns"
        f" are {columns}; name one with --field."
    )


def _type_at(fields: Any, text_field: str) -> Any:
    """The type of a column, or of a field inside columns of objects; None where there is none."""
    import pyarrow as pa

    known = {field.name: field.type for field in fields}
    if text_field in known:
        return known[text_field]
    outer, dot, inner = text_field.partition(".")
    kind = known.get(outer)
    return _type_at(kind, inner) if dot and kind is not None and pa.types.is_struct(kind) else None


def _as_text(row: Mapping[str, object], text_field: str, name: str, number: int) -> Mapping[str, object]:
    value = text_in(row, text_field)
    if not isinstance(value, bytes):
        return row
    try:
        return {**row, text_field: value.decode("utf-8")}
    except UnicodeDecodeError as error:
        raise ActmaxError(
            f"The column {text_field!r} of {name!r} holds bytes, and those of row {number:,} are not UTF-8;"
            " name another column with --field."
        ) from error


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    """Turn whatever pyarrow raises about a file into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(name, error) from error
    except Exception as error:
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> ActmaxError:
    said = printable(str(error)).rstrip(".") or type(error).__name__
    return ActmaxError(
        f"{name!r} is not a whole parquet file of UTF-8 text ({said}); make it or copy it again."
    )
