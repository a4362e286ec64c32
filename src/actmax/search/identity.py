"""Whose search a journal is: everything that decides what a search does, as plain data."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.search.journal import question_of
from actmax.search.meter import Budget
from actmax.search.text_method import TextMethod, TextProblem


def identity_of(
    method: TextMethod, problem: TextProblem, budget: Budget, seed: int, restarts: int | None
) -> dict[str, Any]:
    """Name to value, in the order in which a difference is reported."""
    goal: Any = problem.goal
    plain = ("positions", "minimize", "fluency", "max_nats", "read_first")
    wanted = {name: getattr(goal, name) for name in plain}
    also = [[weight, _unit(unit)] for weight, unit in goal.also]
    sinks = None if goal.sinks is None else [goal.sinks.site.name, goal.sinks.median, goal.sinks.multiple]
    hyper: Any = method
    return {
        "model": model_hash(problem.model),
        "unit": _unit(goal.unit),
        "method": getattr(method, "name", type(method).__name__),
        "settings": dataclasses.asdict(hyper),
        "seed": seed,
        "restarts": restarts,
        "budget": dataclasses.asdict(budget),
        "goal": {**wanted, "also": also, "sinks": sinks},
        "length": [problem.least, problem.length],
        "text_around": [list(problem.frame.before), list(problem.frame.after)],
        "vocabulary": question_of("mask", problem.allowed.mask),
        "reachable": problem.reachable,
        "starting_points": hashlib.sha256(repr(problem.starts).encode()).hexdigest(),
    }


def model_hash(model: Model) -> str:
    """The weights: the file's hash or the hub's commit where there is one, else a hash of those in memory."""
    known = model.source.sha256 or model.source.revision
    if known:
        return f"{model.name}:{known}:{model.dtype}"
    digest = hashlib.sha256()
    for name, weight in sorted(model.net.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().float().cpu().contiguous().numpy().tobytes())
    return f"{model.name}:{digest.hexdigest()}:{model.dtype}"


def _unit(unit: Unit) -> str:
    return unit.name if unit.direction is None else question_of(unit.name, unit.direction)
