"""The parts of a search's result: restarts, what they are compared with, and what they cost.

Field names are those of ``result.json``. Activations are in the units of the site. A number that could not be
had (a model that gave NaN, a text of no tokens) is NaN here and null in the file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trajectory:
    """How one restart went, one entry per recorded step (or per step of the budget)."""

    step: tuple[int, ...] = ()
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
    id: int
    cosine: float


@dataclass(frozen=True)
class Along:
    """The unit along a sequence of tokens, when the model runs it whole."""

    tokens: tuple[str, ...]
    """The searched tokens, then those of the suffix."""
    activations: tuple[float, ...]
    """At each token; NaN where it is not read (a sink, position 0 of the whole sequence)."""
    read: int | None = None
    """Which token is the sequence's activation; None where that is the mean of all."""

    def __post_init__(self) -> None:
        if len(self.tokens) != len(self.activations):
            raise ValueError(f"{len(self.activations)} activations for {len(self.tokens)} tokens")
        if self.read is not None and not 0 <= self.read < len(self.tokens):
            raise ValueError(f"token {self.read} of {len(self.tokens)} is read")


@dataclass(frozen=True)
class Run:
    """One restart. For soft methods ``ids``, ``tokens`` and ``cosine`` are the decoded nearest tokens."""

    restart: int
    activation_initial: float
    activation_final: float
    """Of the optimised input; for token methods re-scored alone in float32 on the ids."""
    trajectory: Trajectory
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    text: str
    cosine: tuple[float, ...]
    """Of each vector to its token; empty for token methods."""
    activation_of_ids: float
    """What the model gives on ``ids``."""
    activation_of_text: float
    """What the model gives on ``text``, tokenised anew."""
    retokenizes: bool
    """Whether ``text`` is tokenised into ``ids`` again."""
    cross_entropy: float
    """Nats per token of the text under the same model."""
    top_tokens: tuple[tuple[NearToken, ...], ...] = ()
    """Per position the nearest tokens, nearest first."""
    stopped: str | None = None
    """Why this restart ended early, as a sentence."""
    position: int | None = None
    """Where ``positions`` is ``each``: the position, counted after the prefix, that this run read."""
    along: Along | None = None
    """The unit at every token; None for soft methods, and where there were too many runs to look at."""


@dataclass(frozen=True)
class Best:
    """The restart with the best activation."""

    restart: int
    activation: float
    text: str


@dataclass(frozen=True)
class Cost:
    """What the search took."""

    forward_tokens: int
    backward_tokens: int
    sequences_scored: int
    seconds: float


@dataclass(frozen=True)
class RandomTokens:
    """The unit on random token sequences of the same length: what chance gives."""

    n: int
    mean: float
    std: float
    max: float
    activations: tuple[float, ...]
    """Ascending."""


@dataclass(frozen=True)
class Isolation:
    """How the unit stands out among all indices of its site, in the best restart.

    Rank 1 is the largest (the smallest where the search minimises); z is (value - mean) / standard deviation
    over the indices.
    """

    rank_before: int
    rank_after: int
    z_before: float
    z_after: float
    width: int


@dataclass(frozen=True)
class CorpusMaximum:
    """The best activation in text that people wrote (the smallest where the search minimises)."""

    value: float
    n_tokens: int
    """Positions that were looked at."""
    corpus: str
    sha256: str
    """Of the corpus's text."""


@dataclass(frozen=True)
class Candidate:
    """A token sequence with what it gives and how likely it is."""

    activation: float
    cross_entropy: float
    text: str
    ids: tuple[int, ...]
    along: Along | None = None
    """The unit at every token."""
