"""How the best so far grew with the budget, from the improvements that every restart has recorded."""

from __future__ import annotations

import math

from actmax.results.maximize import MaximizeResult


def best_so_far(result: MaximizeResult) -> tuple[list[int], list[float]]:
    """Sequences scored, and the best activation by then, over all restarts of a token method.

    Every value holds until the next; the last point is where the search ended.
    """
    sign = -1.0 if result.minimize else 1.0
    points = sorted(
        (at, sign * value)
        for run in result.runs
        for at, value in zip(run.trajectory.step, run.trajectory.activation, strict=False)
        if math.isfinite(value)
    )
    steps: list[int] = []
    values: list[float] = []
    best = -math.inf
    for at, value in points:
        if value > best:
            best = value
            if steps and steps[-1] == at:
                values[-1] = sign * value
            else:
                steps.append(at)
                values.append(sign * value)
    end = result.cost.sequences_scored
    if steps and end > steps[-1]:
        steps.append(end)
        values.append(values[-1])
    return steps, values


def reached_after(result: MaximizeResult, activation: float) -> int | None:
    """After how many sequences a method was as good as ``activation``; None where it never was."""
    sign = -1.0 if result.minimize else 1.0
    for at, value in zip(*best_so_far(result), strict=True):
        if sign * value >= sign * activation:
            return at
    return None
