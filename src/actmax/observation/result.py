"""The result of ``observe``: everything that ``result.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from actmax.errors import ActmaxError, nearest
from actmax.observation.observation import UnitObservation
from actmax.results.frames import Framed
from actmax.results.manifest import Manifest
from actmax.results.saving import Saved
from actmax.results.shown import Beside

SCHEMA = "actmax.observe/1"

_STATISTICS = ("unit", "site", "index", "count", "mean", "std", "min", "max", "density")
_EXAMPLE = (
    "activation",
    "token",
    "text_before",
    "text_after",
    "document",
    "document_name",
    "offset",
    "where",
)


@dataclass(frozen=True)
class Corpus:
    """What was read."""

    name: str
    sha256: str
    """Of the corpus's text."""
    tokens: int
    """That were read, without BOS and padding."""
    corpus_tokens: int
    """That the corpus has (of a bounded or streamed one: that were stored)."""
    documents: int
    """That the tokens read come from."""
    windows: int
    window: int
    """Positions of a window, with BOS."""
    windows_sha256: str
    """Of the text, the tokenizer, the windows and which of them were read."""
    attribution: str
    """To be shown wherever the text is; empty where none is owed."""
    skipped: tuple[str, ...]
    """What could not be read, in words, with counts."""


@dataclass(frozen=True)
class Settings:
    """What was asked for."""

    top: int
    context: int
    max_tokens: int | None
    field: str
    bos: str
    include_sinks: bool
    all_examples: bool
    sink_multiple: float
    """A position is a sink where its residual norm exceeds the median at that depth this many times."""


@dataclass(frozen=True)
class ReadingCost:
    """What reading took, without loading and tokenising."""

    tokens: int
    seconds: float


@dataclass(frozen=True)
class ObserveResult(Saved, Framed):
    """What some units do on a corpus."""

    schema: ClassVar[str] = SCHEMA

    model: str
    n_blocks: int
    """Blocks of the model."""
    corpus: Corpus
    units: tuple[UnitObservation, ...]
    settings: Settings
    cost: ReadingCost
    manifest: Annotated[Manifest, Beside()]
    complete: bool = True
    """False where the user stopped before all windows were read."""

    def unit(self, name: str) -> UnitObservation:
        """One of the units, by its name as it was given.

        Raises:
            ActmaxError: there is none of that name.
        """
        for unit in self.units:
            if unit.unit == name:
                return unit
        there = nearest(name, [unit.unit for unit in self.units])
        raise ActmaxError(f"This observation has no unit {name!r}; it has {there}.")

    def columns(self, what: str | None = None) -> Mapping[str, list[Any]]:
        """One row per unit (``"units"``), per example (``"examples"``), or per winning token (``"tokens"``).

        Raises:
            ActmaxError: there is no such table.
        """
        if what in (None, "units"):
            return {name: [getattr(unit, name) for unit in self.units] for name in _STATISTICS}
        if what == "examples":
            rows = [
                (unit.unit, end, rank, example)
                for unit in self.units
                for end, examples in (("top", unit.top), ("bottom", unit.bottom))
                for rank, example in enumerate(examples)
            ]
            return {
                "unit": [row[0] for row in rows],
                "end": [row[1] for row in rows],
                "rank": [row[2] for row in rows],
                **{name: [getattr(row[3], name) for row in rows] for name in _EXAMPLE},
            }
        if what == "tokens":
            won = [
                (unit.unit, end, winner)
                for unit in self.units
                for end, winners in (("top", unit.top_tokens), ("bottom", unit.bottom_tokens))
                for winner in winners
            ]
            return {
                "unit": [row[0] for row in won],
                "end": [row[1] for row in won],
                **{
                    name: [getattr(row[2], name) for row in won] for name in ("token", "id", "count", "share")
                },
            }
        raise ActmaxError(f"There is no table {what!r}; ask for 'units', 'examples' or 'tokens'.")
