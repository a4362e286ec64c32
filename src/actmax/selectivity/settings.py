"""How two groups of text are compared, as settings; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Gt, Lt

from actmax.corpus.settings import CORPUS, DEFAULT_CORPUS
from actmax.inputs.settings import BosPolicy
from actmax.settings import Option, Settings
from actmax.stats.settings import Correction

SAMPLES, STATISTICS = "Samples", "Statistics"
"""Help panels."""

WordsMode: TypeAlias = Literal["auto", "alone", "corpus"]
"""Whether a word list is read alone or where its words occur; ``auto`` is as the list is meant."""
Space: TypeAlias = Literal["with", "without", "both"]
"""Whether a word that is read alone has its leading space."""
Take: TypeAlias = Literal["last", "first", "mean"]
"""Which token of a target of several stands for it."""
Test: TypeAlias = Literal["welch", "mann-whitney", "logistic", "paired"]
"""What the p-value is of; ``logistic`` is the likelihood-ratio test, finite for separable units."""
Scope: TypeAlias = Literal["model", "site"]
"""Which tests a correction counts: all units, or those of the same site."""
Batching: TypeAlias = Literal["packed", "padded"]
"""Batches of one length, or padded on the right."""
Hold: TypeAlias = Literal["documents", "words"]
"""Whether whole documents are held out, or whole words: the same words are found in many documents."""


@dataclass(frozen=True, kw_only=True)
class SelectSettings(Settings):
    """The settings of ``select``."""

    sites: Annotated[str | Sequence[str], Option(short="-s", metavar="PATTERN")] = ("blocks.*.mlp.hook_pre",)
    """Sites to compare; may be given again."""
    corpus: Annotated[Sequence[str], Option(short="-c", metavar="NAME|PATH")] = (DEFAULT_CORPUS,)
    """Where words are found; `none` for none. As for observe."""
    words: Annotated[WordsMode, Option(panel=SAMPLES)] = "auto"
    """Read word lists alone, or in the corpus."""
    space: Annotated[Space, Option(panel=SAMPLES)] = "with"
    """The leading space of a word that is read alone."""
    token: Annotated[Take, Option(panel=SAMPLES)] = "last"  # noqa: S105
    """Which token of a target is read."""
    window: Annotated[int, Ge(0), Option(panel=SAMPLES)] = 32
    """Tokens of context in front of a target."""
    after: Annotated[int, Ge(0), Option(panel=SAMPLES)] = 0
    """Tokens read after it (it does not see them)."""
    samples: Annotated[int, Ge(2)] = 500
    """Samples of each group, at most."""
    test: Test = "welch"
    """What the reported p-value is of."""
    alpha: Annotated[float, Gt(0), Lt(1), Option(panel=STATISTICS)] = 0.05
    """Level of significance."""
    correction: Annotated[Correction, Option(panel=STATISTICS)] = "bh"
    """For testing many units: Benjamini-Hochberg, Bonferroni or none."""
    scope: Annotated[Scope, Option(panel=STATISTICS)] = "model"
    """Whether the correction counts all units or those of a site."""
    permutations: Annotated[int, Ge(0), Option(panel=STATISTICS)] = 200
    """Shuffles of the labels, for the largest statistic by chance; 0 for none."""
    probe: Annotated[bool, Option(panel=STATISTICS)] = True
    """Fit a sparse probe over units."""
    context: Annotated[bool, Option(panel=STATISTICS)] = True
    """Follow the targets' vectors through the blocks, in context and alone."""
    hold: Annotated[Hold, Option(panel=STATISTICS)] = "documents"
    """What the two halves, in which units are found and validated, do not share."""
    top: Annotated[int, Ge(1)] = 50
    """Units in the result."""
    heat: Annotated[int, Ge(0), Option(panel="Output")] = 6
    """Units shown over fresh text."""
    field: Annotated[str, Option(panel=CORPUS, metavar="NAME")] = "text"
    """Field of JSON, or column of a table, that holds the text."""
    bos: Annotated[BosPolicy, Option(panel=CORPUS)] = "auto"
    """Whether samples begin with BOS."""
    include_sinks: Annotated[bool, Option(panel=CORPUS)] = False
    """Also read samples whose target is an attention sink."""
    batching: Annotated[Batching, Option(panel="Model and machine")] = "packed"
    """Batches of one length, or padded on the right."""
    seed: Annotated[int, Ge(0)] = 0
    """Everything random is drawn from this."""
