"""The result of ``reproduce``: do independent runs find the same thing?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from actmax.results.finding import Description, Number, Picture
from actmax.results.frames import Framed, columns_of, no_table
from actmax.results.manifest import Manifest
from actmax.results.saving import Saved
from actmax.results.shown import Beside, Count, Shown

SCHEMA = "actmax.reproduce/1"


@dataclass(frozen=True)
class RepeatedRun:
    """One run of several."""

    run: Annotated[Count, Shown("run", "number of the run", "count")]
    activation_initial: Annotated[
        float, Shown("start", "activation before the search; none where nothing could be run")
    ]
    activation_final: Annotated[float, Shown("reached", "activation of the optimum")]
    ids: tuple[Count, ...]
    """The tokens found, or those nearest to the vectors found."""
    tokens: Annotated[
        tuple[str, ...], Shown("tokens", "the tokens found, or those nearest to the vectors found")
    ]
    text: str
    """The tokens written out."""
    activation_of_ids: Annotated[
        float, Shown("on these tokens", "activation that the model gives on the tokens")
    ]


@dataclass(frozen=True)
class ReproduceResult(Saved, Framed):
    """How far independent runs agree, beside the same numbers where nothing is to be found."""

    schema: ClassVar[str] = SCHEMA

    unit: str
    site: str
    index: Count | None
    model: str
    method: str
    seed: int
    positions: str
    settings: Mapping[str, Any]
    runs: tuple[RepeatedRun, ...]
    verdict: str
    """``same point``, ``same subspace`` or ``different solutions``."""
    numbers: tuple[Number, ...]
    pictures: tuple[Picture, ...]
    unrelated: tuple[str, ...]
    """The units of the same site that were optimised too."""
    seconds: float
    manifest: Annotated[Manifest, Beside()]
    complete: bool = True
    """False where it was interrupted."""
    conclusion: tuple[str, ...] = ()
    """One sentence."""
    methods: tuple[Description, ...] = ()
    """How each number is made."""

    def number(self, name: str) -> Number:
        """One of the numbers.

        Raises:
            KeyError: there is none of that name.
        """
        return next(one for one in self.numbers if one.name == name)

    def columns(self, what: str | None = None) -> Mapping[str, list[Any]]:
        """One row per run (``"runs"``) or per number (``"numbers"``).

        Raises:
            ActmaxError: there is no such table.
        """
        if what in (None, "runs"):
            return columns_of(self.runs, RepeatedRun)
        if what == "numbers":
            return columns_of(self.numbers, Number)
        raise no_table(what, "runs", "numbers")

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Manifest) -> ReproduceResult:
        return super()._from_json(as_now(data), manifest)


def as_now(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON of a reproduction with the names of today: 0.1 called its conclusion ``sentence``."""
    return {"conclusion": [data["sentence"]], **data} if "sentence" in data else data
