"""The token methods, found in the folder ``methods``: a new method is one new file there.

A file's method is the class it defines that has a ``name`` and a ``search``.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from actmax.errors import ActmaxError, nearest
from actmax.search import methods as folder
from actmax.search.text_method import TextMethod

BEST = "hybrid"
"""What ``text`` means."""


@cache
def text_methods() -> Mapping[str, type[Any]]:
    """Every token method by its name, in alphabetical order."""
    found: dict[str, type[Any]] = {}
    for info in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{info.name}")
        for one in vars(module).values():
            if (
                isinstance(one, type)
                and one.__module__ == module.__name__
                and {"name", "search"} <= vars(one).keys()
            ):
                found[str(vars(one)["name"])] = one
    return dict(sorted(found.items()))


def text_method(name: str, options: Mapping[str, Any] | None = None) -> TextMethod:
    """A method from its name and hyperparameters; ``text`` is the best one.

    Args:
        name: as in :func:`text_methods`.
        options: field to value; a string is read as what the field is.

    Raises:
        ActmaxError: an unknown name or option, or a value of the wrong kind.
    """
    known = text_methods()
    name = BEST if name == "text" else name
    if name not in known:
        raise ActmaxError(f"There is no method {name!r}; the nearest are {nearest(name, known)}.")
    kind = known[name]
    types_of = typing.get_type_hints(kind)
    fields = {field.name for field in dataclasses.fields(kind)}
    given: dict[str, Any] = {}
    for option, value in (options or {}).items():
        if option not in fields:
            raise ActmaxError(
                f"The method {name!r} has no setting {option!r}; the nearest are {nearest(option, fields)}."
            )
        given[option] = _read(name, option, value, types_of[option])
    method: TextMethod = kind(**given)
    return method


def _read(method: str, option: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, str) or kind is str:
        return value
    members = typing.get_args(kind)
    if types.NoneType in members and value.lower() == "none":
        return None
    for member in members or (kind,):
        try:
            if member is bool and value.lower() in ("true", "false"):
                return value.lower() == "true"
            if member in (int, float):
                return member(value)
            if value == member:  # of a Literal
                return value
        except ValueError:
            continue
    raise ActmaxError(f"The setting {option!r} of {method!r} cannot be {value!r}; give a value of its kind.")
