"""Winners run alone: the number that is reported never depends on what else was in a batch or on a cache."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from actmax.models.read import read
from actmax.models.sites import LOGITS, Site
from actmax.objectives.penalties import token_nats
from actmax.search.text_method import Row, TextProblem

_LOGITS = Site(LOGITS)


@dataclass(frozen=True)
class Solution:
    """A sequence with what the model gives on it when it is run alone, whole."""

    ids: Row
    score: float
    activation: float
    nats: float
    """Cross-entropy per searched token (after BOS and prefix where there are any)."""
    at: int
    """Sequences that the search had scored when it found it."""
    restart: int = 0


@torch.no_grad()
def run_alone(problem: TextProblem, ids: Row, at: int = 0, restart: int = 0) -> Solution:
    """Score one sequence of searched tokens from the first position to the last in one pass."""
    goal, before = problem.goal, len(problem.frame.before)
    whole = torch.tensor([[*problem.frame.before, *ids, *problem.frame.after]], device=problem.model.device)
    acts = read(problem.model, goal.sites | {_LOGITS}, ids=whole)
    after = {site: value[:, before:] for site, value in acts.items()}
    activation = goal.reduce(goal.values(after).double(), goal.readable(after, before)).double().cpu()
    predicted = token_nats(acts[_LOGITS], whole)  # of every token but the very first
    own = predicted[:, max(before - 1, 0) : before + len(ids) - 1]
    nats = (own.double().sum(dim=1) / max(own.shape[1], 1)).cpu()
    score = goal.score(activation, nats if goal.wants_nats else None)
    return Solution(ids, float(score), float(activation), float(nats), at, restart)
