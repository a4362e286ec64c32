"""Whose search a journal is: everything that decides what a search does, as plain data."""

from __future__ import annotations

import dataclasses
import hashlib

from torch import Tensor

from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.search.journal import question_of
from actmax.search.method import Method
from actmax.search.problem import Problem
from actmax.settings import provenance


def identity_of(
    method: Method, problem: Problem, budget: int | None, seed: int, restarts: int | None
) -> dict[str, object]:
    """Name to value, in the order in which a difference is reported."""
    return {
        "model": model_hash(problem.model),
        "unit": problem.unit.name,
        "method": method.name,
        "settings": provenance(method),
        "seed": seed,
        "restarts": restarts,
        "budget": budget,
        "objective": plain(problem.objective.terms),
        "text_around": [list(problem.frame.before), list(problem.frame.after)],
        **_space_of(problem),
    }


def _space_of(problem: Problem) -> dict[str, object]:
    space = problem.space
    if not isinstance(space, TokenSpace):
        return {"start": question_of("start", space.start), "neighbors": list(space.neighbors)}
    return {
        "length": [space.least, space.length],
        "max_cross_entropy": space.max_cross_entropy,
        "vocabulary": question_of("mask", space.allowed.mask),
        "reachable": space.reachable,
        "starting_points": hashlib.sha256(repr(space.starts).encode()).hexdigest(),
    }


def plain(value: object) -> object:
    """A value as JSON holds it: dataclasses by their fields, tensors by a digest."""
    if isinstance(value, Tensor):
        return question_of("tensor", value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value).__name__
        return {"kind": kind} | {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


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
