"""PEZ: gradients at the projection, steps in the continuous space.

Wen et al. 2023, "Hard Prompts Made Easy: Gradient-Based Discrete Optimization for Prompt Tuning and
Discovery",
arXiv:2302.03668.

1. Vectors P start as the embeddings of a random sequence.
2. Project each vector to the nearest allowed token's embedding (cosine).
3. Take the gradient of the score at the projection: a real sequence, so its score counts.
4. Update P, not the projection, with AdamW (learning rate 0.1, weight decay 0.1). Repeat from 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from torch.nn import functional

from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer
from actmax.shapes import Embeds, Ids


@dataclass(frozen=True, kw_only=True)
class PEZ(Method):
    """Projected gradients."""

    name: ClassVar[str] = "pez"

    lr: Annotated[float, Gt(0)] = 0.1
    """AdamW's learning rate."""
    weight_decay: Annotated[float, Ge(0)] = 0.1
    """AdamW's weight decay."""
    patience: Annotated[int, Ge(1)] = 200
    """Steps with the same projection after which this has converged."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Step until the projection stays the same."""
        rows = scorer.model.embedding.float().cpu()[problem.tokens.allowed.ids]
        unit = functional.normalize(rows, dim=1)
        start = problem.tokens.random(1, problem.tokens.length, rng)
        theta = scorer.model.embedding.float().cpu()[start].requires_grad_()
        adam = torch.optim.AdamW([theta], lr=self.lr, weight_decay=self.weight_decay)
        last, same, index = start, 0, 0
        while True:
            ids = problem.tokens.allowed.ids[_nearest(theta.detach(), unit)]
            slope = scorer.gradient(ids)
            yield Step(index, (tuple(ids[0].tolist()),), (float(slope.scored.scores[0]),))
            index += 1
            same = same + 1 if torch.equal(ids, last) else 0
            last = ids
            if same >= self.patience:
                return f"the projection has not changed for {self.patience} steps"
            theta.grad = -slope.embeds
            adam.step()


def _nearest(theta: Embeds, unit: torch.Tensor) -> Ids:
    """The row of ``unit`` with the largest cosine to each vector."""
    nearest: Ids = (functional.normalize(theta, dim=-1) @ unit.T).argmax(dim=-1)
    return nearest
