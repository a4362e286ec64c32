"""Mann-Whitney U and the area under the ROC curve, for all units at once, with ties.

``U`` counts the pairs (one sample of each group) in which the first group is higher, ties as half;
``AUC = U / (n1 n2)`` is the chance that it is. The p-value is two-sided:

1. Every unit's samples are ranked once (:func:`scipy.stats.rankdata`, ties sharing the mean of their places).
   Labels do not enter here, so any number of labellings is one matrix product of labels and ranks.
2. The normal approximation takes the variance of the ranks as they are, which is the correction for ties, and
   the correction for continuity (Mann & Whitney 1947).
3. Where a group has at most 8 samples and the unit no ties, p is that of the exact distribution
   (:func:`scipy.stats.mannwhitneyu`, which makes this choice for all units together).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr
from scipy.stats import mannwhitneyu, rankdata

from actmax.stats.samples import Chunk, Flags, Labellings, Labels, PerUnit, Values, chunks, group_sizes

EXACT_UP_TO = 8
"""The exact distribution is used where the smaller group has at most this many samples (as in scipy)."""


@dataclass(frozen=True)
class MannWhitney:
    """The rank test of every unit; ``p`` is 1 and ``auc`` one half for a unit that is ``constant``."""

    u: PerUnit
    auc: PerUnit
    """``u / (n1 n2)``: 1 where every sample of the first group is above every one of the second."""
    p: PerUnit
    constant: Flags


def mann_whitney(values: Values, labels: Labels) -> MannWhitney:
    """The test that one group tends to be higher than the other, whatever their distributions and scale.

    ``labels`` is True for the first group. Raises :class:`ActmaxError` where a group has fewer than two
    samples or an activation is not finite.
    """
    n1, n2 = group_sizes(values, labels)
    u, p, constant = rank_tests(values, labels[None])
    return MannWhitney(u[0], u[0] / (n1 * n2), p[0], constant)


def rank_tests(
    values: Values, labellings: Labellings
) -> tuple[Float[np.ndarray, "labellings units"], Float[np.ndarray, "labellings units"], Flags]:
    """U and p of every unit under each labelling (all with groups of the same sizes), and which are constant.

    Raises :class:`ActmaxError` as :func:`mann_whitney`.
    """
    n1, n2 = group_sizes(values, labellings[0])
    n = n1 + n2
    u = np.empty((len(labellings), values.shape[1]))
    p, constant = np.empty_like(u), np.empty(values.shape[1], dtype=bool)
    for where, chunk in chunks(values):
        ranks = rankdata(np.ascontiguousarray(chunk.T), axis=1)
        spread = ((ranks - (n + 1) / 2) ** 2).sum(axis=1)
        u[:, where] = labellings.astype(np.float64) @ ranks.T - n1 * (n1 + 1) / 2
        distance = np.abs(u[:, where] - n1 * n2 / 2) - 0.5
        with np.errstate(divide="ignore"):
            p[:, where] = 2 * ndtr(-distance / np.sqrt(n1 * n2 / (n * (n - 1)) * spread))
        constant[where] = spread == 0
        if min(n1, n2) <= EXACT_UP_TO:
            untied = np.flatnonzero(spread == n * (n - 1) * (n + 1) / 12)
            p[:, where.start + untied] = _exact(chunk[:, untied], labellings)
    return u, np.clip(p, 0.0, 1.0), constant


def _exact(chunk: Chunk, labellings: Labellings) -> Float[np.ndarray, "labellings chunk"]:
    """p by the exact distribution of U."""
    if not chunk.shape[1]:
        return np.empty((len(labellings), 0))
    tests = (mannwhitneyu(chunk[row], chunk[~row], axis=0, method="exact") for row in labellings)
    return np.stack([test.pvalue for test in tests])
