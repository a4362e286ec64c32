"""Where a token search begins: corpus windows of the searched length, random rows, text by the model."""

from __future__ import annotations

import torch

from actmax.search.text_method import TextProblem
from actmax.search.text_scorer import TextScorer
from actmax.shapes import Ids

_ROWS = 16
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
