"""Fields of records by name: the value of a field, and the error for a field that does not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actmax.errors import ActmaxError

TEXT_FIELD = "text"
"""The field that is read by default."""


def text_in(value: object, text_field: str) -> object:
    """The value of a field of a record; None where there is no such field.

    A text that is a record by itself is found under the default name only, because it has no fields.
    """
    if isinstance(value, str):
        return value if text_field == TEXT_FIELD else None
    if not isinstance(value, Mapping):
        return None
    if text_field in value:
        return value[text_field]
    outer, dot, inner = text_field.partition(".")
    return text_in(value[outer], inner) if dot and isinstance(value.get(outer), Mapping) else None


def printable(text: str, longest: int = 150) -> str:
    """Text of a file or of a library as a sentence can show it: on one line, and not too long."""
    plain = "".join(one if one.isprintable() else " " for one in text[: longest + 1])
    return plain if len(plain) <= longest else f"{plain[:longest]}…"


def no_such_field(name: str, text_field: str, there: Sequence[str]) -> ActmaxError:
    """The error for a field that a file does not have; it names those that it has."""
    shown = ", ".join(printable(one, 40) for one in there[:6])
    more = f" and {len(there) - 6} more" if len(there) > 6 else ""
    has = f"it has {shown}{more}" if there else "its records are not objects"
    return ActmaxError(f"{name!r} has no text in a field {text_field!r} ({has}); name one with --field.")
