"""Text that the model writes itself, as rows to start from."""

from __future__ import annotations

import torch

from actmax.search.problem import Problem
from actmax.search.scorer import Scorer
from actmax.shapes import Ids

ROWS = 16
TOP = 20
"""Next tokens that written text is drawn from."""


def written(
    scorer: Scorer,
    problem: Problem,
    rng: torch.Generator,
    n: int = ROWS,
    *,
    length: int | None = None,
    top: int = TOP,
) -> Ids:
    """``n`` rows that the model writes, drawn among the ``top`` next tokens; duplicates are left out.

    They are of the problem's length or of another one. It costs forward tokens and scores nothing.
    """
    length = problem.tokens.length if length is None else length
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
