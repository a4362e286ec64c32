"""Frozen dataclasses to JSON and back, by their annotations.

JSON has no NaN and no infinity: a number that is not finite is written as ``null``. Read back, ``null`` is
NaN in a field annotated ``float`` and None in one annotated ``float | None``. Finite floats come back bit for
bit (Python writes the shortest digits that do so). Fields that a file has and the dataclass lacks are
skipped, so files with added fields can be read; a field without default that is missing is an error. pydantic
reads, and is imported with the first file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from actmax.errors import ActmaxError
from actmax.results.shown import beside

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, SchemaValidator

T = TypeVar("T")

_SURROGATES = re.compile("[\ud800-\udfff]")
_SCALARS = ("bool", "float", "int", "str")
_NESTED = (
    *("definitions", "fields", "schema", "items_schema", "values_schema", "choices"),
    *("steps", "prefix_schema", "keys_schema"),
)
"""Where a schema of pydantic's core holds other schemas."""
_WRONG = {
    "bool_type": "is not true or false",
    "dataclass_type": "is not an object",
    "dict_type": "is not an object",
    "float_type": "is not a number",
    "greater_than_equal": "is below {ge}",
    "int_type": "is not a whole number",
    "list_type": "is not a list",
    "literal_error": "is not {expected}",
    "string_pattern_mismatch": "is not of the form {pattern}",
    "string_type": "is not text",
    "tuple_type": "is not a list",
}


def to_plain(value: Any) -> Any:
    """``value`` made only of dict, list, str, int, float, bool and None; NaN and infinities become None.

    A dataclass with the class variable ``schema`` says so first, and fields marked ``Beside`` are left out.

    Raises:
        TypeError: something inside is none of these, nor a dataclass, mapping or sequence.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        names = [field.name for field in fields(value) if field.name not in beside(kind)]
        head = {"schema": kind.schema} if hasattr(kind, "schema") else {}
        return head | {name: to_plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [to_plain(item) for item in value]
    raise TypeError(f"a result holds plain data, not {type(value).__name__}")


def json_text(value: Any) -> str:
    """JSON for people too: objects over several lines, a list of numbers or of words on one."""
    text = _layout(to_plain(value), "\n") + "\n"
    # Half of a surrogate pair has no UTF-8; JSON can name it.
    return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _layout(value: Any, line: str) -> str:
    inner = line + "  "
    if isinstance(value, dict) and value:
        items = (f"{_scalar(key)}: {_layout(item, inner)}" for key, item in value.items())
        return "{" + inner + ("," + inner).join(items) + line + "}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[" + inner + ("," + inner).join(_layout(item, inner) for item in value) + line + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def from_plain(kind: type[T], data: Any, where: str = "") -> T:
    """An instance of the dataclass ``kind`` from parsed JSON, checked by its annotations.

    Args:
        kind: a dataclass of plain data and other dataclasses.
        data: what :func:`json.loads` gave.
        where: the name of the place, for the error's sentence.

    Raises:
        ActmaxError: a field is missing or holds something other than its annotation says.
    """
    from pydantic import ValidationError

    try:
        made: T = _reader(kind).validate_python(data)  # type: ignore[arg-type]  # a class is hashable
    except ValidationError as error:
        raise ActmaxError(_sentence(error.errors(include_url=False)[0], where)) from error
    except (TypeError, LookupError, ArithmeticError) as error:  # met where a conclusion is drawn
        place = where or "the file"
        raise ActmaxError(
            f"{place} does not fit together ({error}); it was changed, so make it again."
        ) from error
    return made


@cache
def _reader(kind: Any) -> SchemaValidator:
    """pydantic's validator of a dataclass, made to read what :func:`to_plain` gave.

    Nothing is converted (``"1"`` is not a number), but a list becomes a tuple, and null becomes NaN in a
    ``float``.
    pydantic has a strict mode for JSON text too, but its parser refuses half of a surrogate pair, which the
    command line and the names of files can hold.
    """
    from pydantic import TypeAdapter
    from pydantic_core import SchemaValidator

    return SchemaValidator(_exact(TypeAdapter(kind).core_schema))


def _exact(schema: Any, *, nullable: bool = False) -> Any:
    """A schema of pydantic's core in which scalars are strict, and null is NaN unless None is allowed."""
    if isinstance(schema, list):
        return [_exact(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind in _SCALARS:
        strict = {**schema, "strict": True}
        return strict if nullable or kind != "float" else _null_is_nan(strict)
    inner = {
        key: _exact(value, nullable=kind == "nullable") for key, value in schema.items() if key in _NESTED
    }
    return {**schema, **inner}


def _null_is_nan(schema: Any) -> Any:
    from pydantic_core import core_schema

    return core_schema.no_info_before_validator_function(
        lambda value: math.nan if value is None else value, schema
    )


def _sentence(error: ErrorDetails, where: str) -> str:
    """One sentence for the first thing that is wrong."""
    place = where
    for step in error["loc"]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    place = place.lstrip(".") or "the file"
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "missing":
        return f"{place} is missing; the file is not complete, so make it again."
    if kind == "value_error":
        return f"{place} does not fit together: {limits['error']}."
    wrong = _WRONG.get(kind, "is not what belongs there").format(**limits)
    return f"{place} {wrong}; it was changed, so make it again."
