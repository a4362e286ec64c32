"""The result of ``investigate``: the whole story of one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from actmax.results.check import Read
from actmax.results.finding import Check, Number, Passage, Picture
from actmax.results.manifest import Manifest
from actmax.results.reproduce import ReproduceResult
from actmax.results.saving import Saved
from actmax.results.shown import Beside, Count

SCHEMA = "actmax.investigate/1"


@dataclass(frozen=True)
class Seen:
    """What the unit does on the corpus."""

    count: int
    mean: float
    std: float
    min: float
    max: float
    density: float
    top: tuple[Passage, ...]
    bottom: tuple[Passage, ...]
    top_tokens: tuple[str, ...]
    """Tokens at the maximum of windows, the most frequent first."""


@dataclass(frozen=True)
class Text:
    """A text that was found, with what the model really gives on it."""

    source: str
    text: str
    activation: float
    """At its strongest position."""
    cross_entropy: float
    ratio: float | None
    """Over the corpus maximum; None where that is not above zero."""
    resemblance: float
    """Rank of its likeness to the strongest examples among all positions: 1 the most alike, 0.5 chance."""


@dataclass(frozen=True)
class Soft:
    """What free vectors reach."""

    activation: float
    """The best run, as the objective reads it."""
    on_tokens: float
    """On the tokens nearest to it."""
    tokens: tuple[str, ...]
    ratio: float | None
    """Over the corpus maximum; None where that is not above zero."""
    runs: int


@dataclass(frozen=True)
class InvestigateResult(Saved):
    """Observation, intervention, their agreement, reproducibility, the checks, and a conclusion."""

    schema: ClassVar[str] = SCHEMA

    unit: str
    site: str
    index: Count | None
    model: str
    seed: int
    conclusion: tuple[str, ...]
    """Three sentences; fewer where it was interrupted."""
    corpus: Read
    seen: Seen | None
    soft: Soft | None
    texts: tuple[Text, ...]
    """The most active first."""
    agreement: tuple[Number, ...]
    pictures: tuple[Picture, ...]
    reproduced: ReproduceResult | None
    checks: tuple[Check, ...]
    shuffled: bool
    others: tuple[str, ...]
    settings: Mapping[str, Any]
    seconds: float
    manifest: Annotated[Manifest, Beside()]
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

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Manifest) -> InvestigateResult:
        """The reproduction has the manifest of the whole."""
        again = data.get("reproduced")
        held = {**data, "reproduced": {**again, "manifest": manifest}} if isinstance(again, dict) else data
        return super()._from_json(held, manifest)
