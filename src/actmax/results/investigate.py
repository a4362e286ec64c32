"""The result of ``investigate``: everything that actmax measures of one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from actmax.results.check import CorpusRead, columns_of_checks
from actmax.results.finding import Check, Description, Number, Passage, Picture
from actmax.results.frames import Framed, columns_of
from actmax.results.manifest import Manifest
from actmax.results.reproduce import ReproduceResult, as_now
from actmax.results.saving import Saved
from actmax.results.shown import Beside, Count, Shown

SCHEMA = "actmax.investigate/1"


@dataclass(frozen=True)
class Observed:
    """What the unit does on the corpus."""

    count: Annotated[
        Count, Shown("positions", "of real text, without position 0 and sinks", "count", ("head",))
    ]
    mean: Annotated[float, Shown("mean in real text", "over all positions", views=("head",))]
    std: Annotated[float, Shown("standard deviation", "over all positions of real text", views=("head",))]
    min: float
    max: Annotated[
        float, Shown("corpus maximum", "the largest of all positions of real text", views=("head",))
    ]
    density: Annotated[
        float, Shown("above zero", "share of the positions of real text", "percent", ("head",))
    ]
    top: tuple[Passage, ...]
    bottom: tuple[Passage, ...]
    top_tokens: tuple[str, ...]
    """Tokens at the maximum of windows, the most frequent first."""


@dataclass(frozen=True)
class TextFound:
    """A text that was found, with what the model really gives on it."""

    source: Annotated[str, Shown("found by", "the method that found it")]
    text: Annotated[str, Shown("text", "as it was found")]
    activation: Annotated[
        float, Shown("activation", "of the unit at the text's strongest position", views=("page", "head"))
    ]
    cross_entropy: Annotated[float, Shown("cross-entropy", "nats per token of the text under the same model")]
    ratio: Annotated[
        float | None,
        Shown("corpus maxima", "activation over the corpus maximum; none where that is not above zero"),
    ]
    resemblance: Annotated[
        float,
        Shown(
            "resemblance",
            "rank of its likeness to the strongest examples among all positions: 1 is the most alike, 0.5"
            " chance; none where the unit never changes",
            "cosine",
        ),
    ]


@dataclass(frozen=True)
class SoftOptimum:
    """What free vectors reach."""

    activation: Annotated[float, Shown("soft optimum", "of the best run on free vectors", views=("head",))]
    on_tokens: Annotated[
        float, Shown("on its nearest tokens", "what the model gives on what it decodes to", views=("head",))
    ]
    tokens: tuple[str, ...]
    """The nearest tokens."""
    ratio: float | None
    """The soft optimum over the corpus maximum; None where that is not above zero."""
    runs: Count
    steps: Annotated[
        Count | None, Shown("steps", "of soft ascent that led to the soft optimum", "count", ("head",))
    ] = None
    """None in files of version 0.1, whose ``settings`` hold it."""


@dataclass(frozen=True)
class InvestigateResult(Saved, Framed):
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

    def columns(self, what: str | None = None) -> Mapping[str, list[Any]]:
        """One row per check (``"checks"``), per number of a check (``"numbers"``), or per text (``"texts"``).

        Raises:
            ActmaxError: there is no such table.
        """
        return columns_of(self.texts, TextFound) if what == "texts" else columns_of_checks(self.checks, what)

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Manifest) -> InvestigateResult:
        """The reproduction has the manifest of the whole."""
        again = data.get("reproduced")
        if isinstance(again, dict):
            data = {**data, "reproduced": {**as_now(again), "manifest": manifest}}
        return super()._from_json(data, manifest)
