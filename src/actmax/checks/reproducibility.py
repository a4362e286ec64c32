"""Reproducibility.

Ten runs (unless set otherwise) of the same search from as many random starts, in one batch, and the same for
unrelated units of the site. Each run gives as many vectors as it has positions.

1. *Unique tokens*: how many of all decoded tokens (runs × positions) are distinct. A search that finds one
   text gives as many as there are positions; unrelated texts give nearly all.
2. *Spread of activations*: standard deviation of the final activations divided by the magnitude of their
   mean.
3. *Cosine, position by position*: the mean over pairs of runs and positions of the cosine between their
   vectors.
4. *Cosine after best matching*: the same after the assignment of positions to positions that makes it
   largest, since a run may find the same vectors in a different order.
5. *Cosine of the changes*: as 3, for what the search added: optimum minus start.
6. *Dimension of the subspace*: the participation ratio, the squared sum of the eigenvalues of the Gram matrix
   of all vectors (each of norm 1) over the sum of their squares. It is 1 where all vectors lie on one line,
   and grows to the number of vectors where they share nothing.

The verdict is *same point* where the matched cosine is at least 0.9; otherwise *same subspace* where the
participation ratio is at most half of that of the random starts; and otherwise *different solutions*. Runs
that never left their starts are different solutions by construction. For methods that search tokens, the
vectors are the embeddings of the tokens found and the random starts are random tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from actmax.shapes import Embeds

Verdict: TypeAlias = Literal["same point", "same subspace", "different solutions"]

SAME_POINT = 0.9
"""Matched cosine from which runs count as one point."""
SAME_SUBSPACE = 0.5
"""Share of the random starts' participation ratio up to which the runs count as one subspace."""
_BRUTE_FORCE = 6


@dataclass(frozen=True)
class Agreement:
    """The numbers of the module's docstring for one set of runs."""

    runs: int
    positions: int
    unique_tokens: int
    activation_spread: float
    cosine_by_position: float
    cosine_matched: float
    cosine_of_change: float
    """NaN where nothing was changed, or nothing to change from is known."""
    participation_ratio: float
    pairs: tuple[float, ...] = ()
    """The matched cosine of every pair of runs."""


def agreement(
    vectors: Embeds,
    ids: Int[Tensor, "run pos"],
    activation: Float[Tensor, " run"],
    start: Embeds | None = None,
) -> Agreement:
    """How far some runs agree.

    Args:
        vectors: ``[run, pos, d_model]``; at least two runs.
        ids: the tokens that each run was decoded to.
        activation: what each run reached.
        start: where each run began.
    """
    runs, positions = ids.shape
    directions = torch.nn.functional.normalize(vectors.double().cpu(), dim=-1)
    straight, matched = [], []
    for a, b in combinations(range(runs), 2):
        table = (directions[a] @ directions[b].T).numpy()
        straight.append(float(np.trace(table)) / positions)
        matched.append(best_matching(table))
    finite = activation.double()[activation.isfinite()]
    middle = abs(float(finite.mean())) if len(finite) else 0.0
    spread = float(finite.std(correction=0)) / middle if middle > 0 else float("nan")
    return Agreement(
        runs=runs,
        positions=positions,
        unique_tokens=len(set(ids.flatten().tolist())),
        activation_spread=spread,
        cosine_by_position=float(np.mean(straight)) if straight else float("nan"),
        cosine_matched=float(np.mean(matched)) if matched else float("nan"),
        cosine_of_change=_straight(vectors - start) if start is not None else float("nan"),
        participation_ratio=participation_ratio(directions.flatten(0, 1)),
        pairs=tuple(matched),
    )


def _straight(vectors: Embeds) -> float:
    """The mean cosine between two runs at one position; NaN where a vector is zero."""
    rows = vectors.double().cpu()
    rows = rows / rows.norm(dim=-1, keepdim=True)
    runs = len(rows)
    total = torch.einsum("apd,bpd->", rows, rows) - torch.einsum("apd,apd->", rows, rows)
    return float(total / (runs * (runs - 1) * rows.shape[1])) if runs > 1 else float("nan")


def best_matching(table: Float[np.ndarray, "pos pos"]) -> float:
    """The largest mean of ``table[i, p(i)]`` over permutations ``p``."""
    size = len(table)
    if size <= _BRUTE_FORCE:
        rows = np.arange(size)
        return max(float(table[rows, list(order)].mean()) for order in permutations(range(size)))
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].mean())


def participation_ratio(vectors: Float[Tensor, "n d_model"]) -> float:
    """``(Σλ)² / Σλ²`` of the eigenvalues λ of the Gram matrix: between 1 and the number of vectors."""
    gram = vectors.double() @ vectors.double().T
    return float(gram.trace() ** 2 / gram.square().sum())


def verdict(found: Agreement, starts: Agreement) -> Verdict:
    """Same point, same subspace, or different solutions.

    1. matched cosine at least 0.9: the same point (up to the order of positions).
    2. participation ratio at most half of that of the random starts: the same subspace.
    3. otherwise: different solutions.

    Runs that have not left their starts have the starts' ratio and are different solutions.
    """
    if found.cosine_matched >= SAME_POINT:
        return "same point"
    if found.participation_ratio <= SAME_SUBSPACE * starts.participation_ratio:
        return "same subspace"
    return "different solutions"
