"""The settings of ``check``, ``investigate`` and ``reproduce``; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from actmax.corpus.settings import CORPUS, DEFAULT_CORPUS, CorpusNames, CutCorpus
from actmax.inputs.settings import BosPolicy
from actmax.objectives.positions import Positions
from actmax.progress import Progress, silent
from actmax.settings import INTERNAL, UNRECORDED, Option, Settings

VECTORS = "Method soft-ascent"
"""The help panel."""


@dataclass(frozen=True, kw_only=True)
class MeasureSettings(Settings):
    """What ``check`` and ``investigate`` have in common."""

    corpus: Annotated[CorpusNames | CutCorpus, UNRECORDED, Option(short="-c", metavar="NAME|PATH")] = (
        DEFAULT_CORPUS,
    )
    """wikipedia-excerpt, files, a folder, - for stdin, or hf:NAME; may be given again."""
    max_tokens: Annotated[int | None, Ge(0)] = 12_288
    """Tokens of the corpus that are read; 0 for all."""
    others: Annotated[int, Ge(1)] = 19
    """Random units of the site to compare with; with fewer than 19 none can stand out."""
    steps: Annotated[int, Ge(1)] = 75
    """Updates of soft ascent."""
    length: Annotated[int, Ge(1)] = 5
    """Positions that are optimised."""
    shuffled: bool = True
    """Also check a copy of the model with shuffled weights."""
    text: Annotated[Sequence[str], Option(metavar="TEXT")] = ()
    """Also judge this text; may be given again."""
    bos: Annotated[BosPolicy, Option(panel=CORPUS)] = "auto"
    """Whether windows begin with BOS."""
    seed: Annotated[int, Ge(0)] = 0
    """Everything random is drawn from this."""
    progress: Annotated[Progress, INTERNAL] = silent
    """Called with the stage and how far it is."""


@dataclass(frozen=True, kw_only=True)
class CheckSettings(MeasureSettings):
    """The settings of ``check``."""

    method: Annotated[str | None, Option(metavar="NAME")] = None
    """Also judge the best text of this token method."""


@dataclass(frozen=True, kw_only=True)
class InvestigateSettings(MeasureSettings):
    """The settings of ``investigate``."""

    runs: Annotated[int, Ge(2)] = 10
    """Runs of soft ascent, in one batch."""
    method: Annotated[str | None, Option(metavar="NAME|none")] = "text"
    """The token method that searches text; none for no search."""


@dataclass(frozen=True, kw_only=True)
class ReproduceSettings(Settings):
    """The settings of ``reproduce``."""

    runs: Annotated[int, Ge(2)] = 10
    """Independent runs, in one batch."""
    method: Annotated[str, Option(metavar="NAME")] = "soft-ascent"
    """soft-ascent, or a method that searches tokens."""
    length: Annotated[int, Ge(1)] = 5
    """Positions that are optimised."""
    steps: Annotated[int, Ge(0), Option(panel=VECTORS)] = 500
    """Updates of soft ascent."""
    positions: Positions | None = None
    """Where the unit is read: mean, for token methods last."""
    lr: Annotated[float, Option(panel=VECTORS)] = 0.001
    """Adam's learning rate."""
    l2: Annotated[float, Option(panel=VECTORS)] = 0.01
    """λ of the penalty λ·Σθ²."""
    budget: Annotated[int | None, Ge(1)] = None
    """Sequences that each run of a token method may score (1,536)."""
    unrelated: Annotated[int | None, Ge(0)] = None
    """Unrelated units of the site that are searched as often: 2, for token methods 1."""
    corpus: Annotated[str, Option(panel=CORPUS, short="-c", metavar="NAME|PATH")] = DEFAULT_CORPUS
    """Where token methods begin."""
    seed: Annotated[int, Ge(0)] = 0
    """Everything random is drawn from this."""
    progress: Annotated[Progress, INTERNAL] = silent
    """Called with how far the runs are."""
