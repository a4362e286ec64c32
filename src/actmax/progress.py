"""How long work reports how far it is: one callable, supplied by whoever has a screen."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, runtime_checkable

Counted: TypeAlias = Literal["", "bytes", "tokens"]
"""What is counted, where it is shown in a special way: bytes as megabytes, tokens with their speed."""


@runtime_checkable
class Progress(Protocol):
    """Called from time to time while something is fetched, read, searched or computed."""

    def __call__(
        self, stage: str, done: int, total: int | None, *, unit: Counted = "", note: str = ""
    ) -> None:
        """Report one state.

        Args:
            stage: a word or two ("downloading"); a new stage begins a new count.
            done: how much is done.
            total: of how much; None where it is not known.
            unit: what is counted.
            note: how it goes, in a few words ("activation 3.2").
        """


def prefixed(progress: Progress, prefix: str) -> Progress:
    """The same progress with words in front of every stage."""

    def report(stage: str, done: int, total: int | None, *, unit: Counted = "", note: str = "") -> None:
        progress(prefix + stage, done, total, unit=unit, note=note)

    return report


def silent(stage: str, done: int, total: int | None, *, unit: Counted = "", note: str = "") -> None:
    """Show nothing."""
