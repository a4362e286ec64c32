"""How a corpus is read, as settings that verbs share; imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeAlias, runtime_checkable

from annotated_types import Ge

from actmax.inputs.settings import BosPolicy
from actmax.settings import Option, Settings

DEFAULT_CORPUS = "wikipedia-excerpt"

CORPUS = "Corpus"
"""The help panel of these options."""

CorpusNames: TypeAlias = str | os.PathLike[str] | Sequence[str]
"""One corpus or several, each by name or path."""


@runtime_checkable
class CutCorpus(Protocol):
    """A corpus that is already cut into windows (:class:`actmax.corpus.windows.Windows`), in place of its
    name."""

    @property
    def n_windows(self) -> int:
        """The number of windows."""

    @property
    def n_tokens(self) -> int:
        """The number of tokens in them, without BOS and padding."""


@dataclass(frozen=True, kw_only=True)
class ReadingSettings(Settings):
    """Which text is read, and how it is cut."""

    corpus: Annotated[CorpusNames, Option(short="-c", metavar="NAME|PATH")] = (DEFAULT_CORPUS,)
    """wikipedia-excerpt, a file (.txt, .md, .jsonl, .json, .csv, .tsv, .parquet and the like, also with .gz
    or .zst), a folder, - for stdin, or hf:NAME; may be given again."""
    max_tokens: Annotated[int | None, Ge(0)] = 128_000
    """Tokens to read, in windows spread over the corpus; 0 for all."""
    window: Annotated[int, Ge(2), Option(panel=CORPUS)] = 128
    """Positions that the model reads at once."""
    field: Annotated[str, Option(panel=CORPUS, metavar="NAME")] = "text"
    """Field of JSON, or column of a table, that holds the text."""
    bos: Annotated[BosPolicy, Option(panel=CORPUS)] = "auto"
    """Whether what is read begins with BOS."""
    include_sinks: Annotated[bool, Option(panel=CORPUS)] = False
    """Also look at attention sinks, and at position 0 of windows."""
