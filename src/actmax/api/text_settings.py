"""The settings of a search over text, checked where they are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actmax.corpus.corpus import DEFAULT_CORPUS
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_policy

_ELSEWHERE = ("options", "resume", "atlas")


@dataclass(frozen=True)
class TextSettings:
    """What every token method shares; its own hyperparameters are in ``options``."""

    length: int = 12
    """Searched tokens (at most, where ``shortest`` is less)."""
    shortest: int | None = None
    budget: int = 1536
    """Sequences that may be scored."""
    restarts: int | None = None
    """Independent searches that share the budget; None begins another when one has converged."""
    max_cross_entropy: float | None = None
    """Only text of at most so many nats per token."""
    fluency: float = 0.0
    """Activation that one nat per token costs."""
    bos: BosPolicy = "auto"
    prefix: str = ""
    suffix: str = ""
    chat: bool = False
    """Put the text into the model's chat template as a user's message."""
    reachable: bool = True
    """Only sequences that survive decode and encode."""
    include_sinks: bool = False
    samples: int = 1
    """Solutions that differ in content."""
    starts: int = 16
    """Corpus windows to start from, for methods that use them; 0 reads no corpus."""
    corpus: str = DEFAULT_CORPUS
    """Real text, by name or path: where starts come from, and what results are measured against."""
    atlas: Path | None = None
    """Folder of an atlas that says how large the unit gets in its corpus."""
    resume: Path | None = None
    """Folder of the journal that a stopped search goes on from."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the method: its hyperparameters."""

    def __post_init__(self) -> None:
        bos_policy(self.bos)
        for name, value in (("budget", self.budget), ("number of samples", self.samples)):
            if value < 1:
                raise ActmaxError(f"The {name} is {value}; give a whole number from 1.")
        if self.restarts is not None and self.restarts < 1:
            raise ActmaxError(f"The number of restarts is {self.restarts}; give a whole number from 1.")
        if self.starts < 0:
            raise ActmaxError(f"The number of starts is {self.starts}; give a whole number from 0.")

    def plain(self) -> dict[str, Any]:
        """What a result records; the method's hyperparameters are beside it."""
        return {name: value for name, value in vars(self).items() if name not in _ELSEWHERE}
