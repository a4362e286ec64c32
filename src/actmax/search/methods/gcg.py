"""GCG: greedy coordinate gradient.

Zou et al. 2023, "Universal and Transferable Adversarial Attacks on Aligned Language Models",
arXiv:2307.15043.

1. Start from a random sequence.
2. Take the one-hot gradient; at every position the ``top_k`` tokens with the largest are proposed.
3. Draw ``batch`` candidates: one position and one of its proposals, uniformly; drop those that do not survive
   decode → encode.
4. Score them. Go on from the best candidate, whether or not it is better than where it came from. Repeat from
   2.

The best of everything that was scored is the result. With a budget of fewer than ``least_steps`` batches the
batch is cut to what gives that many steps: the published 512 would leave a short search no steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge

from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.proposals import substituted
from actmax.search.scorer import Scorer


@dataclass(frozen=True, kw_only=True)
class GCG(Method):
    """Greedy coordinate gradient."""

    name: ClassVar[str] = "gcg"

    batch: Annotated[int, Ge(1)] = 512
    """Candidates per step."""
    top_k: Annotated[int, Ge(1)] = 256
    """Proposals at a position."""
    least_steps: Annotated[int, Ge(1)] = 12
    """Steps that the budget has to reach for."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Step until nothing is left to try."""
        batch = self.batch
        if scorer.left is not None:
            batch = max(1, min(batch, scorer.left // self.least_steps - 1))
        ids = problem.tokens.random(1, problem.tokens.length, rng)
        index = 0
        while True:
            proposals = scorer.proposals(ids, self.top_k)
            yield Step(index, (tuple(ids[0].tolist()),), (float(proposals.scored.scores[0]),))
            index += 1
            rows, of = substituted(problem, ids, proposals.tokens, batch, rng)
            if not len(rows):
                return "no substitution that the gradient proposes may be given"
            scores = scorer.ids(rows, base=ids, of=of).scores
            top = int(scores.argmax())
            ids = rows[top : top + 1]
