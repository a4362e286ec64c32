"""The checks, found in the folder ``assumptions``: a new check is one new file there.

The check of a file is the class it defines that has a ``name`` and a ``measure``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys

from actmax.checks import assumptions as folder
from actmax.checks.assumption import Assumption
from actmax.results.finding import Description

SHARED = {
    "verdicts": "actmax.checks.verdicts",
    "shuffled": "actmax.checks.shuffled",
    "reproducibility": "actmax.checks.reproducibility",
    "investigate": "actmax.checks.conclusion",
}
"""Descriptions that belong to no single check, each the docstring of a module."""


def assumptions() -> tuple[Assumption, ...]:
    """All checks, in the order that they declare."""
    found: list[Assumption] = []
    for info in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{info.name}")
        for one in vars(module).values():
            own = isinstance(one, type) and one.__module__ == module.__name__
            if own and {"name", "measure"} <= vars(one).keys():
                found.append(one())
    return tuple(sorted(found, key=lambda one: (one.order, one.name)))


def description_of_check(check: Assumption) -> Description:
    """What a page says about how a check is made."""
    module = sys.modules[type(check).__module__]
    return Description(check.name, check.assumption, inspect.getdoc(module) or "")


def shared_description(name: str) -> Description:
    """A description that belongs to no single check, by its name in :data:`SHARED`."""
    title, _, text = (inspect.getdoc(importlib.import_module(SHARED[name])) or "").partition("\n\n")
    return Description(name, title.rstrip("."), text)


def descriptions(*shared: str) -> tuple[Description, ...]:
    """The named shared descriptions, those of all checks, of the shuffled copy, and of the rules."""
    return (
        *(shared_description(name) for name in shared),
        *(description_of_check(check) for check in assumptions()),
        shared_description("shuffled"),
        shared_description("verdicts"),
    )
