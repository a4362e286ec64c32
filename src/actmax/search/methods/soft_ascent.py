"""Gradient ascent on the input embeddings: the classic protocol of activation maximization.

Erhan et al. 2009, "Visualizing Higher-Layer Features of a Deep Network", carried over to language models:

1. Start from random vectors with the deviation of the embedding matrix (``inputs/soft.py``), in the place of
   token embeddings (``inputs_embeds``; the model adds position embeddings by itself).
2. ``loss = -a + λ·Σθ²``, where ``a`` is the activation of the unit, by default its mean over positions.
3. Update θ with Adam (Kingma & Ba 2015), learning rate 0.001, 500 steps; weights stay frozen.

All restarts go through the model as one batch. Each row's loss depends on its own vectors alone and Adam
works entry by entry, so a restart's path does not depend on the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.inputs.soft import tangent, to_shell
from actmax.objectives.activation import along, reduce, site_profile
from actmax.objectives.penalties import shell_radius
from actmax.search.method import Problem, Step
from actmax.search.scorer import Gradient, Scorer
from actmax.shapes import Embeds


@dataclass(frozen=True)
class SoftAscent:
    """Adam on soft inputs; the objective carries the penalty λ·Σθ²."""

    steps: int = 500
    """Updates."""
    lr: float = 0.001
    """Adam's learning rate."""
    shell: bool = False
    """Rescale each position to the embeddings' mean norm after every update, which goes along the shell."""

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ActmaxError(f"The number of steps is {self.steps}; give a whole number from 0.")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ActmaxError(f"The learning rate is {self.lr}; give a positive number.")

    def search(self, scorer: Scorer, problem: Problem) -> Iterator[Step]:
        """Yield steps 0 to ``steps``; step t holds the vectors after t updates and what they give.

        A restart whose score or gradient is not finite stops there and keeps its last good vectors.
        """
        radius = shell_radius(scorer.model) if self.shell else None
        theta = problem.start if radius is None else to_shell(problem.start, radius)
        theta = theta.clone()
        adam = torch.optim.Adam([theta], lr=self.lr)
        good = theta.clone()
        stopped: dict[int, str] = {}
        step: Step | None = None
        for t in range(self.steps + 1):
            now = scorer.gradient(theta)
            finite = _finite(now)
            for k in (~finite).nonzero().flatten().tolist():
                stopped.setdefault(k, f"stopped at step {t}: the activation or its gradient is not finite")
            alive = torch.tensor([k not in stopped for k in range(len(theta))], device=theta.device)
            step = _step(t, self.steps, theta, now, problem, alive, step, stopped)
            yield step
            if t == self.steps or not bool(alive.any()):
                return
            good = step.embeds
            theta.grad = -now.embeds if radius is None else -tangent(now.embeds, theta)
            adam.step()
            with torch.no_grad():
                if radius is not None:
                    theta.copy_(to_shell(theta, radius))
                if stopped:
                    theta.copy_(torch.where(alive[:, None, None], theta, good))


def _finite(now: Gradient) -> Bool[Tensor, " restart"]:
    return now.scores.isfinite() & now.embeds.isfinite().flatten(1).all(dim=1)


def _step(
    t: int,
    total: int,
    theta: Embeds,
    now: Gradient,
    problem: Problem,
    alive: Bool[Tensor, " restart"],
    last: Step | None,
    stopped: dict[int, str],
) -> Step:
    """The record of step t; restarts that have stopped repeat their last good state."""
    value = now.reading.acts[problem.unit.site]
    activation = reduce(along(problem.unit, value), problem.positions)
    norm = now.embeds.flatten(1).norm(dim=1)
    beside = site_profile(value[..., list(problem.neighbors)], problem.positions)
    if last is None or not stopped:
        embeds = theta.clone()
    else:
        embeds = torch.where(alive[:, None, None], theta, last.embeds)
        activation = torch.where(alive, activation, last.activation)
        norm = torch.where(alive, norm, last.gradient_norm)
        beside = torch.where(alive[:, None], beside, last.neighbors)
    return Step(t, total, embeds, activation, norm, beside, dict(stopped))
