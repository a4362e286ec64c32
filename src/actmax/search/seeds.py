"""Where a token search begins: corpus windows of the searched length, random rows, text by the model."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.search.population import Memory
from actmax.search.text_method import Row, TextProblem
from actmax.search.text_scorer import TextScorer
from actmax.shapes import Ids

_ROWS = 16
_ENDS = 8
_MOVED = 12
"""Beginnings of random rows that are moved to the end."""
_LEAST = 3
"""Tokens of such a beginning."""
_TOP = 20
"""Next tokens that written text is drawn from."""


def seeds(problem: TextProblem, rng: torch.Generator) -> Ids:
    """The problem's starts at the searched length, or random rows where there are none.

    A longer start gives its last tokens, a shorter one is filled from the front with random tokens. Starts
    with tokens that are not allowed are left out.
    """
    length = problem.length
    starts = list(dict.fromkeys(row[-length:] for row in problem.starts))
    fill = problem.tokens.random(max(len(starts), _ROWS), length, rng)
    rows = [
        [*fill[k, : length - len(row)].tolist(), *row]
        for k, row in enumerate(starts)
        if bool(problem.allowed.mask[list(row)].all())
    ]
    return torch.tensor(rows) if rows else fill


def newcomers(scorer: TextScorer, problem: TextProblem, memory: Memory, rng: torch.Generator) -> set[Row]:
    """A new population: random rows, scored and remembered.

    Where the last position is the one that is read, the rows are read at all positions at no further cost,
    and the most active beginnings are moved to the end, after other random tokens. With a limit of nats the
    best rows that are known, a third of their tokens changed, join instead.
    """
    goal, length = problem.goal, problem.length
    rows = problem.tokens.random(_ROWS, length, rng)
    if goal.max_nats is not None:
        old = torch.tensor(memory.best()[:_ROWS])
        changed = torch.where(torch.rand(old.shape, generator=rng) < 1 / 3, rows[: len(old)], old)
        rows = torch.cat([changed[problem.tokens.keep(changed)], rows[:4]])
    ends = goal.positions == "last" and not problem.frame.after and goal.max_nats is None and length > _LEAST
    scored = scorer.ids(rows, everywhere=ends)
    memory.add(rows, scored)
    if ends and scored.values is not None:
        values = (goal.sign * scored.values[:, _LEAST - 1 : -1]).nan_to_num(-math.inf, -math.inf, -math.inf)
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


def written(
    scorer: TextScorer,
    problem: TextProblem,
    rng: torch.Generator,
    n: int = _ROWS,
    *,
    length: int | None = None,
    top: int = _TOP,
) -> Ids:
    """``n`` rows that the model writes, drawn among the ``top`` next tokens; duplicates are left out.

    They are of the problem's length or of another one. It costs forward tokens and scores nothing.
    """
    length = problem.length if length is None else length
    begun = problem.tokens.random(n, 1, rng)
    rows = begun if not problem.frame.before else torch.zeros(n, 0, dtype=torch.long)
    while rows.shape[1] < length:
        if rows.shape[1]:
            after = scorer.next_tokens(rows, top)
            log_probs, tokens = after.log_probs, after.tokens
        else:
            after = scorer.next_tokens(rows[:1], top)
            log_probs, tokens = after.log_probs.expand(n, -1), after.tokens.expand(n, -1)
        drawn = torch.multinomial(log_probs.exp(), 1, generator=rng)
        rows = torch.cat([rows, tokens.gather(1, drawn)], dim=1)
    rows = torch.unique(rows, dim=0)
    text: Ids = rows[problem.tokens.keep(rows)]
    return text


def probable(
    problem: TextProblem, starts: Int[Tensor, "start pos"], text: Int[Tensor, "text pos"], n: int = _ENDS
) -> Int[Tensor, "row pos"]:
    """Rows that a model finds probable and that end as the starts do: for a limit of nats per token.

    The text itself; the ends of the ``n`` first starts after the beginning of a text; the ends of the starts,
    repeated until the length is reached. Rows that may not be given and duplicates are left out.
    """
    length = problem.length
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
    kept: Tensor = ids[problem.tokens.keep(ids)]
    return kept
