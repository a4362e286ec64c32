"""The search methods, found in the folder ``methods``: a new method is one new file there.

A file's method is the class that it defines from :class:`actmax.search.method.Method`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from typing import TypeGuard

from actmax.errors import ActmaxError, nearest
from actmax.inputs.tokens import Tokens
from actmax.search import methods as folder
from actmax.search.method import Method
from actmax.search.names import SHORT as SHORT

_CALL = re.compile(r"([\w-]+)\((.*)\)", re.DOTALL)


@cache
def methods() -> Mapping[str, type[Method]]:
    """Every method by its name, in alphabetical order."""
    found: dict[str, type[Method]] = {}
    for info in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{info.name}")
        for one in vars(module).values():
            if _is_method(one) and one.__module__ == module.__name__:
                found[one.name] = one
    return dict(sorted(found.items()))


def _is_method(one: object) -> TypeGuard[type[Method]]:
    return isinstance(one, type) and Method in one.__mro__


def token_methods() -> list[str]:
    """The names of those that search tokens."""
    return [name for name, kind in methods().items() if kind.space is Tokens]


def method_class(name: str) -> type[Method]:
    """The class of a method from its name, or from a short one (``soft``, ``text``).

    Raises:
        ActmaxError: there is no such method.
    """
    known = [*SHORT, *methods()]
    if name not in known:
        raise ActmaxError(f"There is no method {name!r}; the nearest are {nearest(name, known)}.")
    return methods()[SHORT.get(name, name)]
