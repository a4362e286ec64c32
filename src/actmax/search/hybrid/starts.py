"""Where the search begins: corpus windows of the searched length, random rows, rows that are probable."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.search.hybrid.population import Memory
from actmax.search.problem import Problem, Row
from actmax.search.scorer import Scorer
from actmax.shapes import Ids

_ROWS = 16
_ENDS = 8
_MOVED = 12
"""Beginnings of random rows that are moved to the end."""
_LEAST = 3
"""Tokens of such a beginning."""


def starting_rows(problem: Problem, rng: torch.Generator) -> Ids:
    """The problem's starts at the searched length, or random rows where there are none.

    A longer start gives its last tokens, a shorter one is filled from the front with random tokens. Starts
    with tokens that are not allowed are left out.
    """
    length = problem.tokens.length
    starts = list(dict.fromkeys(row[-length:] for row in problem.tokens.starts))
    fill = problem.tokens.random(max(len(starts), _ROWS), length, rng)
    rows = [
        [*fill[k, : length - len(row)].tolist(), *row]
        for k, row in enumerate(starts)
        if bool(problem.tokens.allowed.mask[list(row)].all())
    ]
    return torch.tensor(rows) if rows else fill


def newcomers(scorer: Scorer, problem: Problem, memory: Memory, rng: torch.Generator) -> set[Row]:
    """A new population: random rows, scored and remembered.

    Where the last position is the one that is read, the rows are read at all positions at no further cost,
    and the most active beginnings are moved to the end, after other random tokens. With a limit of nats the
    best rows that are known, a third of their tokens changed, join instead.
    """
    length, limit = problem.tokens.length, problem.limit
    rows = problem.tokens.random(_ROWS, length, rng)
    if limit is not None:
        old = torch.tensor(memory.best()[:_ROWS])
        changed = torch.where(torch.rand(old.shape, generator=rng) < 1 / 3, rows[: len(old)], old)
        rows = torch.cat([changed[problem.tokens.keep(changed)], rows[:4]])
    at_end = problem.reported.positions == "last" and not problem.frame.after
    ends = at_end and limit is None and length > _LEAST
    scored = scorer.ids(rows, everywhere=ends)
    memory.add(rows, scored)
    if ends and scored.values is not None:
        values = problem.objective.sign * scored.values[:, _LEAST - 1 : -1]
        values = values.nan_to_num(-math.inf, -math.inf, -math.inf)
        fill = problem.tokens.random(2 * _MOVED, length, rng)
        moved = []
        for at, front in zip(values.flatten().argsort(descending=True).tolist(), fill, strict=False):
            row, size = at // values.shape[1], at % values.shape[1] + _LEAST
            moved.append(torch.cat([front[: length - size], rows[row, :size]]))
        new = torch.stack(moved)
        new = new[problem.tokens.keep(new)][:_MOVED]
        new = new[torch.tensor([tuple(row) not in memory for row in new.tolist()], dtype=torch.bool)]
        memory.add(new, scorer.ids(new))
        rows = torch.cat([rows, new])
    return {tuple(row) for row in rows.tolist()}


def probable(
    problem: Problem, starts: Int[Tensor, "start pos"], text: Int[Tensor, "text pos"], n: int = _ENDS
) -> Int[Tensor, "row pos"]:
    """Rows that a model finds probable and that end as the starts do: for a limit of nats per token.

    The text itself; the ends of the ``n`` first starts after the beginning of a text; the ends of the starts,
    repeated until the length is reached. Rows that may not be given and duplicates are left out.
    """
    length = problem.tokens.length
    rows = text.tolist()
    for k, start in enumerate(starts[:n].tolist()):
        for size in (2, 3, 4, 6):
            if size < length:
                end = start[-size:]
                rows.append((end * length)[-length:])
                if len(text):
                    rows.append([*text[(k + size) % len(text), : length - size].tolist(), *end])
    rows = list(dict.fromkeys(map(tuple, rows)))
    ids = torch.tensor(rows, dtype=torch.long).reshape(-1, length)
    given: Tensor = ids[problem.tokens.keep(ids)]
    return given
