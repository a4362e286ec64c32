"""The result of ``investigate``: everything that actmax measures of one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from actmax.results.check import CorpusRead
from actmax.results.finding import Check, Description, Number, Passage, Picture
from actmax.results.manifest import Manifest
from actmax.results.reproduce import ReproduceResult, as_now
from actmax.results.saving import Saved
from actmax.results.shown import Beside, Count

SCHEMA = "actmax.investigate/1"


@dataclass(frozen=True)
class Observed:
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
class TextFound:
    """A text that was found, with what the model really gives on it."""

    source: str
    text: str
    activation: float
    """At its strongest position."""
    cross_entropy: float
    ratio: float | None
    """Over the corpus maximum; None where that is not above zero."""
    resemblance: float
    """Rank of its likeness to the strongest examples among all positions: 1 is the most alike, 0.5 chance;
    NaN where the unit never changes."""


@dataclass(frozen=True)
class SoftOptimum:
    """What free vectors reach."""

    activation: float
    """The best run, as the objective reads it."""
    on_tokens: float
    """On the tokens nearest to it."""
    tokens: tuple[str, ...]
    ratio: float | None
    """Over the corpus maximum; None where that is not above zero."""
    runs: int
    steps: int = 0
    """Steps of soft ascent that led there; 0 in files of version 0.1, whose settings name them."""


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
    corpus: CorpusRead
    seen: Observed | None
    soft: SoftOptimum | None
    texts: tuple[TextFound, ...]
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
    methods: tuple[Description, ...] = ()
    """How each number is made and judged."""

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
        if isinstance(again, dict):
            data = {**data, "reproduced": {**as_now(again), "manifest": manifest}}
        return super()._from_json(data, manifest)
