"""Exhaustive search over one token: the exact optimum.

1. Run BOS and the prefix once.
2. Score every allowed token after it (from its keys and values), in the order of the ids. Keep the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from actmax.errors import ActmaxError
from actmax.search.text_method import Steps, TextProblem, TextStep
from actmax.search.text_scorer import TextScorer


@dataclass(frozen=True)
class Exhaustive:
    """Every token once."""

    name: ClassVar[str] = "exhaustive"
    repeats: ClassVar[bool] = True
    """A restart would do the same again."""

    batch: int = 4096
    """Tokens between two reports of progress."""

    def search(self, scorer: TextScorer, problem: TextProblem, rng: torch.Generator) -> Steps:
        """Score the vocabulary.

        Raises:
            ActmaxError: more than one token is searched.
        """
        if problem.least > 1:
            raise ActmaxError(
                "The method 'exhaustive' searches one token; use --length 1, or another method."
            )
        for index, ids in enumerate(problem.allowed.ids[:, None].split(self.batch)):
            scored = scorer.ids(ids)
            top = int(scored.scores.argmax())
            yield TextStep(index, (tuple(ids[top].tolist()),), (float(scored.scores[top]),))
        return "every allowed token was scored"
