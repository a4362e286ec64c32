"""Winners are run again by themselves: what is reported never depends on a batch or on a cache."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from actmax.models.read import read
from actmax.models.sites import LOGITS, Site
from actmax.objectives.objective import Reading
from actmax.objectives.penalties import token_nats
from actmax.search.problem import Problem, Row

_LOGITS = Site(LOGITS)


@dataclass(frozen=True)
class Solution:
    """A sequence with what the model gives on it when it is run whole and by itself."""

    ids: Row
    score: float
    activation: float
    nats: float
    """Cross-entropy per searched token (after BOS and prefix where there are any)."""
    at: int
    """Sequences that the search had scored when it found it."""
    restart: int = 0


@torch.no_grad()
def solution_of(problem: Problem, ids: Row, at: int = 0, restart: int = 0) -> Solution:
    """Score one sequence of searched tokens from the first position to the last in one pass."""
    before = len(problem.frame.before)
    whole = torch.tensor([[*problem.frame.before, *ids, *problem.frame.after]], device=problem.model.device)
    acts = read(problem.model, problem.objective.needs | {_LOGITS}, ids=whole)
    reading = Reading({site: value[:, before:] for site, value in acts.items()}, past=before)
    reduced = [
        (weight, term.reduce(term.values(reading).double(), term.readable(reading)).double().cpu())
        for weight, term in problem.terms
    ]
    activation = reduced[0][1]
    further = sum((weight * value for weight, value in reduced[1:]), torch.zeros_like(activation))
    predicted = token_nats(acts[_LOGITS], whole)  # of every token but the very first
    own = predicted[:, max(before - 1, 0) : before + len(ids) - 1]
    nats = (own.double().sum(dim=1) / max(own.shape[1], 1)).cpu()
    gain = problem.gain(activation, further if len(reduced) > 1 else None)
    score = problem.score(gain, nats if problem.wants_nats else None)
    return Solution(ids, float(score), float(activation), float(nats), at, restart)
