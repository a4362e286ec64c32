"""Random search: the control that every other method has to beat.

1. Draw sequences uniformly from the allowed tokens, among those that may be given (reachable ones where
   asked).
2. Score them. Keep the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge

from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer


@dataclass(frozen=True, kw_only=True)
class Random(Method):
    """Uniform draws."""

    name: ClassVar[str] = "random"

    batch: Annotated[int, Ge(1)] = 128
    """Sequences drawn at once."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Draw until the budget ends; this never converges."""
        index = 0
        while True:
            ids = problem.tokens.random(self.batch, problem.tokens.length, rng)
            scored = scorer.ids(ids)
            top = int(scored.scores.argmax())
            yield Step(index, (tuple(ids[top].tolist()),), (float(scored.scores[top]),))
            index += 1
