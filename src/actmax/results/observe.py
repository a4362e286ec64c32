"""The result of ``observe``: everything that ``result.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from actmax.errors import ActmaxError, nearest
from actmax.legible import legible
from actmax.numbers import count, number
from actmax.results.frames import Framed, columns_of, no_table
from actmax.results.manifest import Manifest
from actmax.results.observed_unit import CorpusExample, UnitObservation, WinningToken
from actmax.results.saving import Saved
from actmax.results.shown import Beside, Keywords

SCHEMA = "actmax.observe/1"


@dataclass(frozen=True)
class ObservedCorpus:
    """What was read."""

    name: str
    sha256: str
    """Of the corpus's text."""
    tokens: int
    """Tokens that were read, without BOS and padding."""
    corpus_tokens: int
    """Tokens that the corpus has (of a bounded or streamed one: that were stored)."""
    documents: int
    """Documents that the tokens read come from."""
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
class ObservationSettings:
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
    corpus: ObservedCorpus
    units: Annotated[tuple[UnitObservation, ...], Keywords(minItems=1)]
    settings: ObservationSettings
    cost: ReadingCost
    manifest: Annotated[Manifest, Beside()]
    complete: bool = True
    """False where the user stopped before all windows were read."""
    conclusion: tuple[str, ...] = field(init=False, default=())
    """What was seen, one text per unit; it follows from the numbers."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "conclusion", tuple(_seen(unit, self.corpus.name) for unit in self.units))

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
            return columns_of(self.units, UnitObservation)
        if what == "examples":
            examples = [
                (unit.unit, end, rank, example)
                for unit in self.units
                for end, examples in (("top", unit.top), ("bottom", unit.bottom))
                for rank, example in enumerate(examples)
            ]
            return {
                "unit": [row[0] for row in examples],
                "end": [row[1] for row in examples],
                "rank": [row[2] for row in examples],
                **columns_of([row[3] for row in examples], CorpusExample),
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
                **columns_of([row[2] for row in won], WinningToken),
            }
        raise no_table(what, "units", "examples", "tokens")


def _seen(unit: UnitObservation, corpus: str) -> str:
    """One or two sentences that say what was seen of a unit."""
    of = f"In {count(unit.count)} tokens of {corpus}"
    if not unit.top:
        return f"{of} there is no example of {unit.unit}."
    high, low = unit.top[0], unit.bottom[0]
    said = (
        f"{of} {unit.unit} goes from {number(unit.min)} (at {_quoted(low.token)})"
        f" to {number(unit.max)} (at {_quoted(high.token)})."
    )
    inner = {level.quantile: level.value for level in unit.quantiles}
    if 0.25 in inner and 0.75 in inner:
        said += f" At half of them it stays between {number(inner[0.25])} and {number(inner[0.75])}."
    return said


def _quoted(token: str) -> str:
    return f"“{legible(token.strip(' ')) or '·'}”"
