"""What is searched for and how, as settings that all methods share; imports nothing heavy.

A method's own hyperparameters are the fields of its dataclass (``search/methods/``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Gt

from actmax.inputs.settings import BosPolicy
from actmax.objectives.positions import Places
from actmax.progress import Progress, silent
from actmax.settings import INTERNAL, UNRECORDED, Option, Settings

Metric: TypeAlias = Literal["cosine", "l2", "dot"]
"""How near two vectors are."""
WeightedUnit: TypeAlias = str | tuple[float, str]
"""``WEIGHT*UNIT`` as one text, or the weight and the unit."""

OBJECTIVE, TEXT, COMPARISON, VECTORS = (
    "Objective",
    "Text that is searched",
    "Real text to compare with",
    "Method soft-ascent",
)
"""Help panels."""


@dataclass(frozen=True)
class Progressed:
    """How far a search is, in its own steps or in sequences of its budget."""

    index: int
    total: int
    activation: float
    """The mean of the restarts (vectors), or the best so far (tokens)."""


@dataclass(frozen=True, kw_only=True)
class AscentSettings(Settings):
    """How soft ascent climbs."""

    steps: Annotated[int, Ge(0)] = 500
    """Updates of soft-ascent."""
    lr: Annotated[float, Gt(0), Option(panel=VECTORS)] = 0.001
    """Adam's learning rate."""
    shell: Annotated[bool, Option(panel=VECTORS)] = False
    """Rescale each position to the embeddings' mean norm after every update."""


@dataclass(frozen=True, kw_only=True)
class VectorSettings(AscentSettings):
    """What only a search over vectors takes."""

    init_text: Annotated[str | None, Option(panel=VECTORS)] = None
    """Start from this text's embeddings instead of random vectors."""
    metric: Annotated[Metric, Option(panel=VECTORS)] = "cosine"
    """How the nearest tokens are found."""
    l2: Annotated[float, Ge(0), Option(panel=VECTORS)] = 0.01
    """λ of the penalty λ·Σθ²; not added to an objective that has this penalty already."""
    shell_penalty: Annotated[float, Ge(0), Option(panel=VECTORS)] = 0.0
    """Weight of the squared distance to the embeddings' mean norm."""


@dataclass(frozen=True, kw_only=True)
class TokenSettings(Settings):
    """What only a search over tokens takes."""

    budget: Annotated[int, Ge(1)] = 1536
    """Sequences that a token method may score."""
    max_cross_entropy: Annotated[float | None, Gt(0), Option(panel=OBJECTIVE)] = None
    """Only text of at most this many nats per token."""
    fluency: Annotated[float, Ge(0), Option(panel=OBJECTIVE)] = 0.0
    """Activation that one nat per token costs."""
    include_sinks: Annotated[bool, Option(panel=OBJECTIVE)] = False
    """Also read attention sinks and position 0."""
    shortest: Annotated[int | None, Ge(1), Option(panel=TEXT)] = None
    """Fewest tokens (as many as --length)."""
    samples: Annotated[int, Ge(1), Option(panel=TEXT)] = 1
    """Solutions that differ in content."""
    prefix: Annotated[str, Option(panel=TEXT)] = ""
    """What stands before the searched tokens."""
    suffix: Annotated[str, Option(panel=TEXT)] = ""
    """What stands after them."""
    chat: Annotated[bool, Option(panel=TEXT)] = False
    """Search inside the model's chat template, as a user's message."""
    reachable: Annotated[bool, Option(panel=TEXT)] = True
    """Only sequences that a text is tokenised into."""
    starts: Annotated[int, Ge(0), Option(panel=COMPARISON)] = 16
    """Corpus windows to start from, for methods that use them; 0 reads no corpus."""
    resume: Annotated[Path | None, INTERNAL] = None
    """Folder of the search's journal: begun there, or continued."""


@dataclass(frozen=True, kw_only=True)
class SearchSettings(VectorSettings, TokenSettings):
    """What ``maximize`` and ``compare`` share."""

    length: Annotated[int | None, Ge(1)] = None
    """Positions that are searched (5; for token methods 12)."""
    restarts: Annotated[int | None, Ge(1)] = None
    """Independent starts (1; token methods begin another whenever one has converged)."""
    positions: Annotated[Places | None, Option(metavar="mean|last|max|each|N")] = None
    """Where the unit is read: mean, for token methods last. Token methods also read one position N after the
    prefix, or each: one search per position, with equal shares of the budget."""
    minimize: bool = False
    """Seek the lowest activation."""
    seed: Annotated[int, Ge(0)] = 0
    """Everything random is drawn from this."""
    also: Annotated[Sequence[WeightedUnit], Option(panel=OBJECTIVE, metavar="WEIGHT*UNIT")] = ()
    """Add a further unit to the objective; may be given again."""
    bos: Annotated[BosPolicy, Option(panel=TEXT)] = "auto"
    """BOS in front; soft-ascent has none unless always."""
    corpus: Annotated[str | None, Option(panel=COMPARISON, short="-c", metavar="NAME|PATH")] = None
    """Real text to measure the unit in, and for token methods to start from (wikipedia-excerpt; soft-ascent
    reads none by default)."""
    atlas: Annotated[Path | None, UNRECORDED, Option(panel=COMPARISON, metavar="DIR")] = None
    """Take the corpus maximum from this atlas."""
    progress: Annotated[Progress, INTERNAL] = silent
    """Called while the corpus is read."""


@dataclass(frozen=True, kw_only=True)
class MaximizeSettings(SearchSettings):
    """The settings of ``maximize``."""

    method: Annotated[str | Settings, INTERNAL] = "soft-ascent"
    """The name of a method, or a method with hyperparameters such as ``GCG(top_k=64)``."""
    on_step: Annotated[Callable[[Progressed], None] | None, INTERNAL] = None
    """Called with every step."""
