"""Which of a unit's activations are shown, as settings; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from actmax.corpus.settings import ReadingSettings
from actmax.settings import Option


@dataclass(frozen=True, kw_only=True)
class ExampleSettings(ReadingSettings):
    """How many examples there are, and how much of their text."""

    top: Annotated[int, Ge(1)] = 20
    """Examples at either end."""
    context: Annotated[int, Ge(0)] = 32
    """Tokens of text on either side of an example."""


@dataclass(frozen=True, kw_only=True)
class ObserveSettings(ExampleSettings):
    """The settings of ``observe``."""

    all_examples: Annotated[bool, Option(panel="Corpus")] = False
    """Show more than one example per document and per context."""
