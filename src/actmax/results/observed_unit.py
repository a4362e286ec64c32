"""The parts of an observation: examples, tokens, quantiles and statistics of one unit on a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from actmax.results.shown import Count, Shown


@dataclass(frozen=True)
class CorpusExample:
    """One position of the corpus with what is around it, as far as the model read it in the same window."""

    activation: Annotated[float, Shown("activation", "of the unit at the token")]
    token: str
    text_before: str
    text_after: str
    document: Count
    offset: Count
    """Character of the document at which the token begins."""
    document_name: Annotated[str, Shown("from", "the document")]
    where: Count
    """Corpus position."""
    tokens: tuple[str, ...]
    """The token, with up to ``context`` tokens on either side."""
    values: tuple[float, ...]
    """The unit at each of ``tokens``, to float32's digits; NaN (null in the file) where it is left out."""
    peak: Count
    """Which of ``tokens`` the example is about."""


@dataclass(frozen=True)
class ObservedQuantile:
    """A value that a share of positions stays below, with examples of about that activation."""

    quantile: float
    value: float
    examples: tuple[CorpusExample, ...]


@dataclass(frozen=True)
class WinningToken:
    """A token, and how many windows it wins."""

    token: str
    id: Count
    count: Count
    share: float
    """Of the windows."""


@dataclass(frozen=True)
class UnitHistogram:
    """Counts of values between edges, equally wide from the minimum to the maximum."""

    edges: tuple[float, ...]
    counts: tuple[Count, ...]


@dataclass(frozen=True)
class LeftOut:
    """Positions that statistics and examples leave out."""

    count: Count
    share: float
    """Of all positions that were read, BOS among them and padding not."""


@dataclass(frozen=True)
class Excluded:
    """What was left out, by kind."""

    position_0: LeftOut
    """BOS, or without it the first token of each window."""
    sinks: LeftOut
    """Other positions whose residual norm is far above the median at the unit's depth."""


@dataclass(frozen=True)
class UnitObservation:
    """One unit on a corpus; activations are in the units of the site."""

    unit: str
    site: str
    index: Count | None
    count: Annotated[Count, Shown("positions", "that the statistics are of", "count", ("terminal",))]
    max: Annotated[
        float, Shown("largest", "the activation of the first example below", views=("head", "terminal"))
    ]
    min: Annotated[
        float, Shown("smallest", "the other end; units speak with both signs", views=("head", "terminal"))
    ]
    mean: Annotated[float, Shown("mean", "of the positions", views=("head", "terminal"))]
    std: Annotated[float, Shown("standard deviation", "of the positions", views=("head", "terminal"))]
    density: Annotated[float, Shown("above zero", "share of the positions", "percent", ("head", "terminal"))]
    histogram: UnitHistogram
    top: tuple[CorpusExample, ...]
    bottom: tuple[CorpusExample, ...]
    quantiles: tuple[ObservedQuantile, ...]
    top_tokens: tuple[WinningToken, ...]
    """Tokens at the maximum of windows, most frequent first (at most 50 are listed)."""
    bottom_tokens: tuple[WinningToken, ...]
    """The same for minima."""
    windows: Count
    """Windows with a position that the statistics are of."""
    excluded: Excluded
