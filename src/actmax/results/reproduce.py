"""The result of ``reproduce``: do independent runs find the same thing?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from actmax.results.finding import Description, Number, Picture
from actmax.results.manifest import Manifest
from actmax.results.saving import Saved
from actmax.results.shown import Beside, Count

SCHEMA = "actmax.reproduce/1"


@dataclass(frozen=True)
class RepeatedRun:
    """One run of several."""

    run: int
    activation_initial: float
    """NaN for methods that start from nothing that could be run."""
    activation_final: float
    ids: tuple[int, ...]
    """The tokens found, or those nearest to the vectors found."""
    tokens: tuple[str, ...]
    text: str
    activation_of_ids: float
    """What the model gives on them."""


@dataclass(frozen=True)
class ReproduceResult(Saved):
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

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Manifest) -> ReproduceResult:
        return super()._from_json(as_now(data), manifest)


def as_now(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON of a reproduction with the names of today: 0.1 called its conclusion ``sentence``."""
    return {"conclusion": [data["sentence"]], **data} if "sentence" in data else data
