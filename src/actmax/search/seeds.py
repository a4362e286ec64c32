"""Where a token search begins: corpus windows of the searched length, random rows, text by the model."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.search.text_method import TextProblem
from actmax.search.text_scorer import TextScorer
from actmax.shapes import Ids

_ROWS = 16
_ENDS = 8
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


def written(scorer: TextScorer, problem: TextProblem, rng: torch.Generator, n: int = _ROWS) -> Ids:
    """``n`` rows that the model writes, drawn among the most probable next tokens; duplicates are left out.

    It costs forward tokens and scores nothing.
    """
    begun = problem.tokens.random(n, 1, rng)
    rows = begun if not problem.frame.before else torch.zeros(n, 0, dtype=torch.long)
    while rows.shape[1] < problem.length:
        if rows.shape[1]:
            after = scorer.next_tokens(rows, _TOP)
            log_probs, tokens = after.log_probs, after.tokens
        else:
            after = scorer.next_tokens(rows[:1], _TOP)
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
