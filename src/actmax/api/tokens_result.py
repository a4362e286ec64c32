"""From the end of a token search to its result: texts, what each token does, what the text gives again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch

from actmax.models.read import read
from actmax.objectives.objective import Reading
from actmax.results.run import Along, Candidate, Cost, Run, Trajectory
from actmax.search.diversity import diverse
from actmax.search.meter import Spent
from actmax.search.problem import Problem, Row
from actmax.search.run import SPENT, Outcome, Restart, pareto
from actmax.search.solution import Solution, solution_of

MOST_SHOWN = 50
"""Runs and likely texts that are looked at token by token."""


Part: TypeAlias = tuple[Problem, Outcome]
"""A problem and what was found; with ``each`` there is one for every position."""


def runs_of(parts: Sequence[Part]) -> tuple[Run, ...]:
    """Every restart that found something, numbered over all parts, the trajectories one after another."""
    made: list[Run] = []
    first = spent = 0
    for problem, outcome in parts:
        where = problem.reported.positions
        position = where if isinstance(where, int) else None
        for run in outcome.restarts:
            if run.best is not None:
                look = len(made) < MOST_SHOWN or run.best is outcome.best
                row = profile_of(problem, run.best.ids) if look else None
                one = _run(problem, run, run.best, spent)
                made.append(replace(one, restart=first + run.number, along=row, position=position))
        first += len(outcome.restarts)
        spent += outcome.cost.sequences_scored
    return tuple(made)


def best_of(parts: Sequence[Part]) -> int | None:
    """The number (as :func:`runs_of` counts) of the restart with the best score; None where none has one."""
    first = 0
    best: tuple[float, int] | None = None
    for _, outcome in parts:
        found = outcome.best
        if found is not None and (best is None or found.score > best[0]):
            best = found.score, first + found.restart
        first += len(outcome.restarts)
    return None if best is None else best[1]


def frontier_of(parts: Sequence[Part]) -> tuple[Candidate, ...]:
    """The texts of all parts that no other beats in both activation and likelihood, most active first."""
    whose = {id(one): problem for problem, outcome in parts for one in outcome.frontier}
    every = [one for _, outcome in parts for one in outcome.frontier]
    front = pareto(parts[0][0], every)
    return tuple(candidate(whose[id(one)], one, look=k < MOST_SHOWN) for k, one in enumerate(front))


def solutions_of(parts: Sequence[Part], samples: int) -> tuple[Candidate, ...]:
    """Solutions that differ in content, best first; only the best where one is asked for."""
    if samples == 1:
        found = [(problem, outcome.best) for problem, outcome in parts if outcome.best is not None]
        found.sort(key=lambda pair: -pair[1].score)
        return tuple(candidate(problem, one) for problem, one in found[:1])
    whose = {id(one): problem for problem, outcome in parts for one in outcome.candidates}
    every = [one for _, outcome in parts for one in outcome.candidates]
    chosen = diverse(parts[0][0].model, every, samples)
    return tuple(candidate(whose[id(one)], solution_of(whose[id(one)], one.ids, one.at)) for one in chosen)


def candidate(problem: Problem, one: Solution, *, look: bool = True) -> Candidate:
    """One sequence; with ``look`` token by token."""
    text = str(problem.model.tokenizer.decode(list(one.ids)))
    row = profile_of(problem, one.ids) if look else None
    return Candidate(one.activation, one.nats, text, one.ids, row)


@torch.no_grad()
def profile_of(problem: Problem, ids: Row) -> Along:
    """The unit at every token of a sequence (and of the suffix), when it is run whole and by itself."""
    term, before = problem.reported, len(problem.frame.before)
    shown = (*ids, *problem.frame.after)
    whole = torch.tensor([[*problem.frame.before, *shown]], device=problem.model.device)
    acts = {site: value[:, before:] for site, value in read(problem.model, term.needs, ids=whole).items()}
    reading = Reading(acts, past=before)
    values = term.values(reading)[0].double().cpu()
    mask = term.readable(reading)
    readable = torch.ones(len(shown), dtype=torch.bool) if mask is None else mask[0].cpu()
    at: int | None
    if term.positions == "mean":
        at = None
    elif term.positions in ("max", "min"):
        sign = 1.0 if term.positions == "max" else -1.0
        within = torch.where(readable, sign * values, -torch.inf)
        at = int(within.argmax()) if bool(readable.any()) else None
    else:
        at = len(shown) - 1 if term.positions == "last" else int(term.positions)
    tokenizer: Any = problem.model.tokenizer
    plain = torch.where(readable, values, torch.nan).tolist()
    return Along(tuple(str(tokenizer.decode([i])) for i in shown), tuple(plain), at)


def total(costs: Sequence[Spent]) -> Cost:
    """The sum of what several searches spent."""
    names = ("forward_tokens", "backward_tokens", "sequences_scored", "seconds")
    return Cost(**{name: sum(getattr(one, name) for one in costs) for name in names})


def _run(problem: Problem, run: Restart, best: Solution, spent: int) -> Run:
    """One restart, its best sequence with what its text gives."""
    tokenizer: Any = problem.model.tokenizer
    text = str(tokenizer.decode(list(best.ids)))
    again = tuple(tokenizer.encode(text, add_special_tokens=False))
    same = again == best.ids
    room = problem.model.context - len(problem.frame.before) - len(problem.frame.after)
    at, after = problem.reported.positions, len(problem.frame.after)
    readable = 0 < len(again) <= room and (not isinstance(at, int) or at < len(again) + after)
    of_text = best.activation if same else solution_of(problem, again).activation if readable else math.nan
    curve = run.curve
    return Run(
        restart=run.number,
        activation_initial=curve[0].activation if curve else math.nan,
        activation_final=best.activation,
        trajectory=Trajectory(
            tuple(spent + found.at for found in curve), tuple(found.activation for found in curve)
        ),
        ids=best.ids,
        tokens=tuple(str(tokenizer.decode([i])) for i in best.ids),
        text=text,
        cosine=(),
        activation_of_ids=best.activation,
        activation_of_text=of_text,
        retokenizes=same,
        cross_entropy=best.nats,
        stopped=None if run.ended == SPENT else run.ended,
    )
