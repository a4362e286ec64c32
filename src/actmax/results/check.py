"""The result of ``check``: the assumptions of activation maximization for one unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from actmax.results.finding import Check, Description, Number
from actmax.results.frames import Framed, columns_of, no_table
from actmax.results.manifest import Manifest
from actmax.results.saving import Saved
from actmax.results.shown import Beside, Count

SCHEMA = "actmax.check/1"


@dataclass(frozen=True)
class CorpusRead:
    """The part of a corpus that was read."""

    name: str
    sha256: str
    tokens: int
    attribution: str
    """To be shown wherever its text is; empty where none is owed."""


@dataclass(frozen=True)
class CheckResult(Saved, Framed):
    """The assumptions, each with its numbers, controls and pictures, and what may be concluded."""

    schema: ClassVar[str] = SCHEMA

    unit: str
    site: str
    index: Count | None
    model: str
    seed: int
    corpus: CorpusRead
    settings: Mapping[str, Any]
    checks: tuple[Check, ...]
    """Those that were finished, in the order in which they were made."""
    shuffled: bool
    """Whether the copy with shuffled weights was checked too."""
    others: tuple[str, ...]
    """The random units of the site."""
    seconds: float
    manifest: Annotated[Manifest, Beside()]
    complete: bool = True
    """False where it was interrupted."""
    conclusion: tuple[str, ...] = ()
    """One sentence; empty where it was interrupted before all checks were made."""
    methods: tuple[Description, ...] = ()
    """How each check is made and judged."""

    def check(self, name: str) -> Check:
        """One of the checks.

        Raises:
            KeyError: it is not there.
        """
        for one in self.checks:
            if one.name == name:
                return one
        raise KeyError(name)

    def columns(self, what: str | None = None) -> Mapping[str, list[Any]]:
        """One row per check (``"checks"``) or per number (``"numbers"``).

        Raises:
            ActmaxError: there is no such table.
        """
        return columns_of_checks(self.checks, what)


def columns_of_checks(checks: Sequence[Check], what: str | None) -> Mapping[str, list[Any]]:
    """The tables of some checks.

    Raises:
        ActmaxError: there is no such table.
    """
    if what in (None, "checks"):
        return columns_of(checks, Check)
    if what == "numbers":
        numbers = [(check.name, number) for check in checks for number in check.numbers]
        columns = columns_of([number for _, number in numbers], Number)
        return {"check": [name for name, _ in numbers], **columns}
    raise no_table(what, "checks", "numbers")
