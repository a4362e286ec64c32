"""The search methods, found in the folder ``methods``: a new method is one new file there.

A file's method is the class that it defines from :class:`actmax.search.method.Method`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from actmax.inputs.tokens import TokenSpace
from actmax.search import methods as folder
from actmax.search.method import Method
from actmax.search.names import own_name


@cache
def methods() -> Mapping[str, type[Method]]:
    """Every method by its name, in alphabetical order."""
    found: dict[str, type[Method]] = {}
    for info in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{info.name}")
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, Method) and one.__module__ == module.__name__:
                found[one.name] = one
    return dict(sorted(found.items()))


def token_methods() -> list[str]:
    """The names of those that search tokens."""
    return [name for name, kind in methods().items() if kind.space is TokenSpace]


def method_class(name: str) -> type[Method]:
    """The class of a method from its name, or from a short one (``soft``, ``text``).

    Raises:
        ActmaxError: there is no such method.
    """
    return methods()[own_name(name)]
