"""The verbs, found in the folder ``verbs``: a new verb is one new file there.

A file defines its commands as functions with the decorator :func:`verb`. Only the file that is named like the
verb is imported when a verb is run; all of them for ``actmax --help``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from actmax.cli import verbs as folder


@dataclass(frozen=True)
class Verb:
    """One command."""

    name: str
    """As it is typed: ``observe``, ``atlas build``; the first word is the file's name."""
    order: int
    """Help lists verbs by it."""
    function: Callable[..., None]
    help: str
    """Of the group, where the name has two words."""


def verb(name: str, *, order: int, help: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command.

    Args:
        name: as it is typed; two words for a command of a group.
        order: place in the list of verbs.
        help: what the group is for, given with one of its commands.
    """

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        function.__verb__ = Verb(name, order, function, help)  # type: ignore[attr-defined]
        return function

    return mark


def verb_files() -> list[str]:
    """The names of the files, which are the first words of the verbs."""
    return sorted(info.name for info in pkgutil.iter_modules(folder.__path__))


def verbs_of(file: str) -> list[Verb]:
    """The commands of one file."""
    module = importlib.import_module(f"{folder.__name__}.{file}")
    found: Iterator[Verb | None] = (getattr(one, "__verb__", None) for one in vars(module).values())
    return sorted({one.name: one for one in found if one is not None}.values(), key=lambda one: one.order)


def all_verbs() -> list[Verb]:
    """Every command, in the order of the help."""
    return sorted((one for file in verb_files() for one in verbs_of(file)), key=lambda one: one.order)
