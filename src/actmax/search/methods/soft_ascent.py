"""Gradient ascent on the input embeddings: the classic protocol of activation maximization.

Erhan et al. 2009, "Visualizing Higher-Layer Features of a Deep Network", carried over to language models:

1. Start from random vectors with the deviation of the embedding matrix (``inputs/soft.py``), in the place of
   token embeddings (``inputs_embeds``; the model adds position embeddings by itself).
2. ``loss = -a + λ·Σθ²``, where ``a`` is the activation of the unit, by default its mean over positions.
3. Update θ with Adam (Kingma & Ba 2015), learning rate 0.001, 500 steps; weights stay frozen.

All restarts go through the model as one batch. Each row's loss depends only on its own vectors and Adam works
entry by entry, so a restart's path does not depend on the rest of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from actmax.inputs.soft import VectorSpace, tangent, to_shell
from actmax.objectives.penalties import shell_radius
from actmax.search.answers import Slope
from actmax.search.method import Method, Step, Steps, VectorState
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer
from actmax.search.settings import AscentSettings
from actmax.shapes import Embeds


@dataclass(frozen=True, kw_only=True)
class SoftAscent(AscentSettings, Method):
    """Adam on soft inputs; the objective carries the penalty λ·Σθ²."""

    name: ClassVar[str] = "soft-ascent"
    space: ClassVar[type[VectorSpace]] = VectorSpace
    once: ClassVar[bool] = True

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Yield steps 0 to ``steps``; step t holds the vectors after t updates and what they give.

        A restart whose score or gradient is not finite stops there and stays at its last good vectors.
        """
        radius = shell_radius(scorer.model) if self.shell else None
        start = problem.vectors.start
        theta = (start if radius is None else to_shell(start, radius)).clone()
        adam = torch.optim.Adam([theta], lr=self.lr)
        good = theta.clone()
        stopped: dict[int, str] = {}
        state: VectorState | None = None
        for t in range(self.steps + 1):
            now = scorer.vectors(theta)
            for k in (~_finite(now)).nonzero().flatten().tolist():
                stopped.setdefault(k, f"stopped at step {t}: the activation or its gradient is not finite")
            alive = torch.tensor([k not in stopped for k in range(len(theta))])
            state = _state(theta, now, alive, state, stopped)
            yield Step(t, vectors=state, total=self.steps)
            if t == self.steps or not bool(alive.any()):
                break
            good = state.embeds
            theta.grad = -now.embeds if radius is None else -tangent(now.embeds, theta)
            adam.step()
            with torch.no_grad():
                if radius is not None:
                    theta.copy_(to_shell(theta, radius))
                if stopped:
                    theta.copy_(_where(alive, theta, good))
        return "all updates were made" if t == self.steps else "every restart has stopped"


def _finite(now: Slope) -> Bool[Tensor, " restart"]:
    return now.scored.scores.isfinite() & now.embeds.isfinite().flatten(1).all(dim=1).cpu()


def _where(alive: Bool[Tensor, " restart"], new: Tensor, old: Tensor) -> Tensor:
    """Row by row the new value, or where a restart has stopped the old one."""
    mask = alive.to(new.device)
    return torch.where(mask.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _state(
    theta: Embeds,
    now: Slope,
    alive: Bool[Tensor, " restart"],
    last: VectorState | None,
    stopped: dict[int, str],
) -> VectorState:
    """Where the search stands; restarts that have stopped repeat their last good state."""
    beside = torch.zeros(len(theta), 0) if now.neighbors is None else now.neighbors
    norm = now.embeds.flatten(1).norm(dim=1)
    state = VectorState(theta.clone(), now.scored.activation, norm, beside, dict(stopped))
    if last is None or not stopped:
        return state
    return VectorState(
        _where(alive, theta, last.embeds),
        _where(alive, state.activation, last.activation),
        _where(alive, norm, last.gradient_norm),
        _where(alive, beside, last.neighbors),
        dict(stopped),
    )
