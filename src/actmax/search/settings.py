"""What is searched for and how, as settings that all methods share; imports nothing heavy.

A method's own hyperparameters are the fields of its dataclass (``search/methods/``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Gt

from actmax.inputs.settings import BosPolicy
from actmax.settings import UNRECORDED, Option, Settings

Metric: TypeAlias = Literal["cosine", "l2", "dot"]
"""How near two vectors are."""

TEXT, COMPARISON, VECTORS = "Text that is searched", "Real text to compare with", "Method soft-ascent"
"""Help panels."""


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Settings):
    """The settings of ``maximize``; None leaves a setting to the method."""

    length: Annotated[int | None, Ge(1)] = None
    """Positions that are searched: 5, for token methods 12."""
    steps: Annotated[int | None, Ge(0)] = None
    """Updates of soft-ascent (500)."""
    budget: Annotated[int | None, Ge(1)] = None
    """Sequences that a token method may score (1536)."""
    restarts: Annotated[int | None, Ge(1)] = None
    """Independent starts (1; token methods begin another when one has converged)."""
    positions: Literal["mean", "last", "max", "each"] | int | None = None
    """Where the unit is read: mean, for token methods last. Token methods also read one position N after the
    prefix, or each: one search per position, with equal shares of the budget."""
    minimize: bool = False
    """Seek the lowest activation."""
    seed: Annotated[int, Ge(0)] = 0
    """Everything random is drawn from this."""
    also: Annotated[Sequence[str], Option(panel="Objective", metavar="WEIGHT*UNIT")] = ()
    """Add a further unit to the objective; may be given again."""
    max_cross_entropy: Annotated[float | None, Gt(0), Option(panel="Objective")] = None
    """Only text of at most this many nats per token."""
    fluency: Annotated[float | None, Ge(0), Option(panel="Objective")] = None
    """Activation that one nat per token costs (0)."""
    include_sinks: Annotated[bool, Option(panel="Objective")] = False
    """Also read attention sinks and position 0."""
    shortest: Annotated[int | None, Ge(1), Option(panel=TEXT)] = None
    """Fewest tokens (as many as --length)."""
    samples: Annotated[int | None, Ge(1), Option(panel=TEXT)] = None
    """Solutions that differ in content (1)."""
    prefix: Annotated[str | None, Option(panel=TEXT)] = None
    """What stands before the searched tokens."""
    suffix: Annotated[str | None, Option(panel=TEXT)] = None
    """What stands after them."""
    chat: Annotated[bool, Option(panel=TEXT)] = False
    """Search inside the model's chat template."""
    reachable: Annotated[bool, Option(panel=TEXT)] = True
    """Only sequences that a text is tokenised into."""
    bos: Annotated[BosPolicy, Option(panel=TEXT)] = "auto"
    """BOS in front; soft-ascent has none unless always."""
    corpus: Annotated[str | None, Option(panel=COMPARISON, short="-c", metavar="NAME|PATH")] = None
    """Real text to measure the unit in, and for token methods to start from (wikipedia-excerpt; soft-ascent
    reads none by default)."""
    atlas: Annotated[Path | None, UNRECORDED, Option(panel=COMPARISON, metavar="DIR")] = None
    """Take the corpus maximum from this atlas."""
    init_text: Annotated[str | None, Option(panel=VECTORS)] = None
    """Start from this text's embeddings."""
    metric: Annotated[Metric | None, Option(panel=VECTORS)] = None
    """How the nearest tokens are found (cosine)."""
    lr: Annotated[float | None, Gt(0), Option(panel=VECTORS)] = None
    """Adam's learning rate (0.001)."""
    l2: Annotated[float | None, Ge(0), Option(panel=VECTORS)] = None
    """λ of the penalty λ·Σθ² (0.01)."""
    shell: Annotated[bool, Option(panel=VECTORS)] = False
    """Keep every vector at the embeddings' mean norm."""
    shell_penalty: Annotated[float | None, Ge(0), Option(panel=VECTORS)] = None
    """Weight of the squared distance to that norm (0)."""
