"""Running a method: progress and interruption, once for all methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from actmax.search.method import Method, Problem, Step
from actmax.search.scorer import Cost, Scorer


@dataclass(frozen=True)
class Trace:
    """What was recorded of every step."""

    step: list[int]
    activation: Float[Tensor, "step restart"]
    gradient_norm: Float[Tensor, "step restart"]
    neighbors: Float[Tensor, "step restart neighbor"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    last: Step
    trace: Trace
    cost: Cost
    complete: bool
    """False where the user stopped it; all else holds what was reached."""


def run(
    method: Method, scorer: Scorer, problem: Problem, on_step: Callable[[Step], None] | None = None
) -> Outcome:
    """Take steps until the method ends or the user stops it (Ctrl-C).

    Args:
        method: what searches.
        scorer: the door to the model; its cost is the run's.
        problem: what is searched for.
        on_step: told of every step, for progress.

    Raises:
        KeyboardInterrupt: stopped before the first step, so there is nothing to keep.
    """
    last: Step | None = None
    index: list[int] = []
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    complete = True
    try:
        for step in method.search(scorer, problem):
            index.append(step.index)
            rows.append((step.activation.cpu(), step.gradient_norm.cpu(), step.neighbors.cpu()))
            last = step
            if on_step is not None:
                on_step(step)
    except KeyboardInterrupt:
        if last is None:
            raise
        complete = False
    if last is None:
        raise ValueError("the method yielded no step")
    kept = rows[: len(index)]
    trace = Trace(index[: len(kept)], *(torch.stack(column) for column in zip(*kept, strict=True)))
    return Outcome(last, trace, scorer.cost, complete)
