"""How long work tells about itself: one callable, supplied by whoever has a screen."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Called from time to time while something is fetched or converted."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """``stage`` is a word or two ("downloading"); ``done`` of ``total`` bytes (None: unknown)."""


def silent(stage: str, done: int, total: int | None) -> None:
    """The progress that nobody watches."""
