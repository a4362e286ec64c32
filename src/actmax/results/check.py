"""The result of ``check``: the four assumptions for one unit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actmax.results.finding import Check
from actmax.results.manifest import Manifest
from actmax.results.rendering import renderer_of
from actmax.results.saving import load_result, result_json, save_result

SCHEMA = "actmax.check/1"


@dataclass(frozen=True)
class Read:
    """The corpus as it was read."""

    name: str
    sha256: str
    tokens: int
    attribution: str
    """To be shown wherever its text is; empty where none is owed."""


@dataclass(frozen=True)
class CheckResult:
    """Four assumptions, each with its numbers, controls and pictures."""

    unit: str
    site: str
    index: int | None
    model: str
    seed: int
    corpus: Read
    settings: Mapping[str, Any]
    checks: tuple[Check, ...]
    """Those that were finished, in the order in which they were made."""
    shuffled: bool
    """Whether the copy with shuffled weights was checked too."""
    others: tuple[str, ...]
    """The random units of the site."""
    seconds: float
    manifest: Manifest
    complete: bool = True
    """False where it was interrupted."""

    def check(self, name: str) -> Check:
        """One of the checks.

        Raises:
            KeyError: it is not there.
        """
        for one in self.checks:
            if one.name == name:
                return one
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """What ``result.json`` holds."""
        return result_json(self, SCHEMA)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``result.json``, ``manifest.json`` and ``report.html``: all, or none.

        Raises:
            ActmaxError: the folder cannot be made or written to, or its disk is full.
        """
        save_result(self, SCHEMA, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> CheckResult:
        """What :meth:`save` wrote.

        Raises:
            ActmaxError: a file is missing, was changed, or is of another kind or version.
        """
        return load_result(cls, SCHEMA, folder)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return renderer_of(SCHEMA).summary(self)
