"""The parts of a search's result: restarts, what they are compared with, and what they cost.

Field names are those of ``result.json``. Activations are in the units of the site. A number that could not be
computed (a model that gave NaN, a text of no tokens) is NaN here and null in the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from actmax.results.shown import Count, Shown


@dataclass(frozen=True)
class Trajectory:
    """How one restart went, one entry per recorded step (or per step of the budget)."""

    step: tuple[Count, ...] = ()
    activation: tuple[float, ...] = ()
    gradient_norm: tuple[float, ...] = ()
    """L2 norm of the gradient of the loss by the input; empty for methods without gradient."""
    neighbor_activation: tuple[float, ...] = ()
    """Mean activation of the neighbour indices of the site."""

    def __post_init__(self) -> None:
        for name in ("activation", "gradient_norm", "neighbor_activation"):
            length = len(getattr(self, name))
            if length not in (0, len(self.step)):
                raise ValueError(f"{name} has {length} entries for {len(self.step)} steps")


@dataclass(frozen=True)
class NearToken:
    """A token near an optimised vector."""

    token: str
    id: Count
    cosine: float


@dataclass(frozen=True)
class Along:
    """The unit along a sequence of tokens, when the model runs it whole."""

    tokens: tuple[str, ...]
    """The searched tokens, then those of the suffix."""
    activations: tuple[float, ...]
    """At each token; NaN where it is not read (a sink, position 0 of the whole sequence)."""
    read: Count | None = None
    """Which token is the sequence's activation; None where that is the mean of all."""

    def __post_init__(self) -> None:
        if len(self.tokens) != len(self.activations):
            raise ValueError(f"{len(self.activations)} activations for {len(self.tokens)} tokens")
        if self.read is not None and not 0 <= self.read < len(self.tokens):
            raise ValueError(f"token {self.read} of {len(self.tokens)} is read")


@dataclass(frozen=True)
class Run:
    """One restart. For soft methods ``ids``, ``tokens`` and ``cosine`` are the decoded nearest tokens."""

    restart: Annotated[Count, Shown("restart", "number of the restart", "count", ("terminal", "page"))]
    position: Annotated[
        Count | None,
        Shown(
            "position",
            "that was read where each is, counted from 0 after the prefix",
            "count",
            ("terminal", "page"),
        ),
    ] = field(default=None, kw_only=True)
    activation_initial: Annotated[
        float, Shown("start", "activation before the search", views=("terminal", "page"))
    ]
    activation_final: Annotated[
        float,
        Shown(
            "optimum",
            "activation of the optimised input; of tokens run again alone, in float32",
            views=("terminal", "page", "head", "comparison"),
        ),
    ]
    trajectory: Trajectory
    ids: tuple[Count, ...]
    tokens: Annotated[
        tuple[str, ...],
        Shown("tokens", "the tokens found, or those nearest to the vectors", views=("terminal", "page")),
    ]
    text: str
    """The tokens written out."""
    cosine: Annotated[
        tuple[float, ...],
        Shown("cosine", "of each vector to its token; empty for token methods", "cosine", ("terminal",)),
    ]
    activation_of_ids: Annotated[
        float,
        Shown(
            "on its tokens",
            "activation that the model gives on the tokens, run again alone",
            views=("terminal", "page", "head", "comparison"),
        ),
    ]
    kept: Annotated[
        float | None,
        Shown(
            "kept",
            "share of the optimum's gain over the start that its nearest tokens keep",
            "percent",
            ("terminal", "page", "head", "comparison"),
        ),
    ] = field(default=None, kw_only=True)
    activation_of_text: Annotated[
        float,
        Shown(
            "on its text",
            "activation on the text of the tokens, tokenised anew",
            views=("page", "head", "comparison"),
        ),
    ]
    retokenizes: Annotated[
        bool,
        Shown("same ids", "whether the text is tokenised into the same ids", views=("page", "comparison")),
    ]
    cross_entropy: Annotated[
        float,
        Shown(
            "cross-entropy",
            "nats per token of the text under the same model",
            views=("terminal", "page", "head", "comparison"),
        ),
    ]
    top_tokens: tuple[tuple[NearToken, ...], ...] = ()
    """Per position the nearest tokens, nearest first."""
    stopped: str | None = None
    """Why this restart ended early, as a sentence."""
    along: Along | None = None
    """The unit at every token; None for soft methods, and where there were too many runs to look at."""


@dataclass(frozen=True)
class Best:
    """The restart with the best activation."""

    restart: Count
    activation: float
    text: str


@dataclass(frozen=True)
class Cost:
    """What the search took."""

    forward_tokens: Annotated[
        Count,
        Shown(
            "forward",
            "tokens run forward; what rows share is run once and counts once",
            "count",
            ("comparison",),
        ),
    ]
    backward_tokens: Annotated[
        Count, Shown("backward", "tokens that a gradient was taken of", "count", ("comparison",))
    ]
    sequences_scored: Annotated[
        Count,
        Shown("sequences", "scored, also those that a gradient was taken of", "count", ("comparison",)),
    ]
    seconds: Annotated[
        float,
        Shown("time", "wall clock of the search, without reading the corpus", "seconds", ("comparison",)),
    ]


@dataclass(frozen=True)
class RandomTokens:
    """The unit on random token sequences of the same length: what chance gives."""

    n: Count
    mean: float
    std: float
    max: float
    activations: tuple[float, ...]
    """Ascending."""

    def best(self, *, minimize: bool) -> float:
        """The best activation among them in the direction of the search."""
        return min(self.activations, default=math.nan) if minimize else self.max


@dataclass(frozen=True)
class Isolation:
    """How the unit stands out among all indices of its site, in the best restart.

    Rank 1 is the largest (the smallest where the search minimises); z is (value - mean) / standard deviation
    over the indices.
    """

    rank_before: Count
    rank_after: Count
    z_before: float
    z_after: float
    width: Count


@dataclass(frozen=True)
class CorpusMaximum:
    """The best activation in text that people wrote (the smallest where the search minimises)."""

    value: float
    n_tokens: Count
    """Positions that were looked at."""
    corpus: str
    sha256: str
    """Of the corpus's text."""


@dataclass(frozen=True)
class Candidate:
    """A token sequence with what it gives and how likely it is."""

    activation: float
    cross_entropy: float
    """Nats per token of the text under the same model."""
    text: str
    ids: tuple[Count, ...]
    along: Along | None = None
    """The unit at every token."""
