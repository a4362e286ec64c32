"""The settings of a search over soft inputs, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_policy
from actmax.search.nearest import Metric, check_metric


@dataclass(frozen=True)
class SoftSettings:
    """The classic protocol by default."""

    length: int = 5
    """Positions."""
    steps: int = 500
    lr: float = 0.001
    l2: float = 0.01
    """λ of the penalty λ·Σθ²."""
    restarts: int = 1
    shell: bool = False
    """Rescale every position to the embeddings' mean norm after each step."""
    shell_penalty: float = 0.0
    """Weight of the squared distance to the embeddings' mean norm."""
    init_text: str | None = None
    """Start from this text's embeddings instead of random vectors."""
    metric: Metric = "cosine"
    """How nearest tokens are found."""
    bos: BosPolicy = "auto"
    """``always`` puts BOS in front of the vectors; the classic protocol, and ``auto``, has none."""
    corpus: str | None = None
    """Real text, by name or path, to measure the unit in; None takes what an earlier run has measured."""
    atlas: Path | None = None
    """Folder of an atlas that says how large the unit gets in its corpus."""

    def __post_init__(self) -> None:
        for name, value in (("length", self.length), ("number of restarts", self.restarts)):
            if value < 1:
                raise ActmaxError(f"The {name} is {value}; give a whole number from 1.")
        for name, weight in (("l2", self.l2), ("shell-penalty", self.shell_penalty)):
            if not (math.isfinite(weight) and weight >= 0):
                raise ActmaxError(f"The weight {name} is {weight}; give a number from 0.")
        check_metric(self.metric)
        bos_policy(self.bos)

    def plain(self) -> dict[str, Any]:
        """What a result records."""
        return {name: value for name, value in vars(self).items() if name not in ("corpus", "atlas")}
