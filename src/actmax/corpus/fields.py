"""Fields of records by name: what stands in one, and the refusal of one that is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actmax.errors import ActmaxError

TEXT_FIELD = "text"
"""The field that is read unless another is named."""


def text_in(value: object, text_field: str) -> object:
    """What stands in a field of a record; None where there is no such field.

    A text that is a record by itself is found under the usual name only, for it has no fields.
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
    """The refusal of a field that a file does not have, naming those that it has."""
    shown = ", ".join(printable(one, 40) for one in there[:6])
    more = f" and {len(there) - 6} more" if len(there) > 6 else ""
    has = f"it has {shown}{more}" if there else "its records are not objects"
    return ActmaxError(f"{name!r} has no text in a field {text_field!r} ({has}); name one with --field.")
