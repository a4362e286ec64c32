"""Exhaustive search over one token: the exact optimum.

1. Run BOS and the prefix once.
2. Score every allowed token after it (from its keys and values), in the order of the ids. Keep the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge

from actmax.errors import ActmaxError
from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer


@dataclass(frozen=True, kw_only=True)
class Exhaustive(Method):
    """Every token once."""

    name: ClassVar[str] = "exhaustive"
    once: ClassVar[bool] = True

    batch: Annotated[int, Ge(1)] = 4096
    """Tokens between two reports of progress."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Score the vocabulary.

        Raises:
            ActmaxError: more than one token is searched.
        """
        if problem.tokens.least > 1:
            raise ActmaxError(
                "The method 'exhaustive' searches one token; use --length 1, or another method."
            )
        for index, ids in enumerate(problem.tokens.allowed.ids[:, None].split(self.batch)):
            scored = scorer.ids(ids)
            top = int(scored.scores.argmax())
            yield Step(index, (tuple(ids[top].tolist()),), (float(scored.scores[top]),))
        return "every allowed token was scored"
