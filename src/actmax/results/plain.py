"""Frozen dataclasses to JSON and back, by their annotations.

JSON has no NaN and no infinity: a number that is not finite is written as ``null``. Read back, ``null`` is
NaN in a field annotated ``float`` and None in one annotated ``float | None``. Finite floats come back bit for
bit (Python writes the shortest digits that do so). Fields that a file has and the dataclass has not are
skipped, so files with added fields can be read; a field without default that is missing is an error.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from actmax.errors import ActmaxError

T = TypeVar("T")

_SURROGATES = re.compile("[\ud800-\udfff]")
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def to_plain(value: Any) -> Any:
    """``value`` made of dict, list, str, int, float, bool and None alone; NaN and infinities become None.

    Raises:
        TypeError: something inside is none of these, nor a dataclass, mapping or sequence.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
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
    """An instance of the dataclass ``kind`` from parsed JSON.

    Args:
        kind: its fields may be str, int, float, bool, other dataclasses, ``X | None``, ``tuple[X, ...]``,
            ``Mapping[str, X]`` and Any.
        data: what :func:`json.loads` gave.
        where: the name of the place, for the error's sentence.

    Raises:
        ActmaxError: a field is missing or holds something else than its annotation says.
    """
    made: T = _decode(kind, data, where)
    return made


def _decode(kind: Any, data: Any, where: str) -> Any:
    if kind is Any:
        return data
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        others = [option for option in inner if option is not NoneType]
        return None if data is None else _decode(others[0], data, where)
    if origin is tuple:
        _expect(isinstance(data, list), where, "a list")
        return tuple(_decode(inner[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if origin is not None:
        _expect(isinstance(data, dict), where, "an object")
        return {key: _decode(inner[1], item, f"{where}.{key}") for key, item in data.items()}
    if is_dataclass(kind):
        return _decode_fields(kind, data, where)
    if kind is float:
        _expect(
            data is None or (isinstance(data, int | float) and not isinstance(data, bool)), where, "a number"
        )
        return math.nan if data is None else float(data)
    _expect(isinstance(data, kind) and (kind is bool or not isinstance(data, bool)), where, _NAMES[kind])
    return data


def _decode_fields(kind: Any, data: Any, where: str) -> Any:
    _expect(isinstance(data, dict), where, "an object")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):
        place = f"{where}.{field.name}".lstrip(".")
        if field.name in data:
            values[field.name] = _decode(hints[field.name], data[field.name], place)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ActmaxError(f"{place} is missing; the file is not whole, so make it again.")
    try:
        return kind(**values)
    except ValueError as error:
        raise ActmaxError(f"{where or 'the file'} does not fit together: {error}.") from error


def _expect(right: bool, where: str, wanted: str) -> None:
    if not right:
        raise ActmaxError(f"{where or 'the file'} is not {wanted}; it was changed, so make it again.")
