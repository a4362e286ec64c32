"""Does a unit found on some documents hold on others?

1. Split the samples into two halves, whole documents at a time, so that no text is in both.
2. Test every unit on the first half, corrected over all units: those significant are *found*.
3. Test the found units on the second half, corrected over the found ones only: a unit *holds* where it is
   significant again with the same sign.
4. The concordance is the share of found units that hold: one number between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from actmax.errors import ActmaxError
from actmax.stats.multiple import benjamini_hochberg, bonferroni
from actmax.stats.samples import Flags, Labels, PerUnit, group_sizes
from actmax.stats.settings import Correction as Correction


def _as_given(p: PerUnit) -> PerUnit:
    return p


CORRECTIONS: dict[str, Callable[[PerUnit], PerUnit]] = {
    "bh": benjamini_hochberg,
    "bonferroni": bonferroni,
    "none": _as_given,
}


@dataclass(frozen=True)
class Concordance:
    """Two sets of samples compared, unit by unit."""

    effect_fit: PerUnit
    """The signed statistic on the set used for finding: t, or AUC minus one half."""
    effect_hold: PerUnit
    """The same on the other set."""
    p_fit: PerUnit
    """Uncorrected."""
    p_hold: PerUnit
    """Uncorrected."""
    found: Flags
    """Significant on the first set, corrected over all units."""
    held: Flags
    """Found, and significant with the same sign on the second, corrected over the found units."""
    concordance: float
    """The share of found units that hold; NaN where none was found."""


def concordance(
    effect_fit: PerUnit,
    p_fit: PerUnit,
    effect_hold: PerUnit,
    p_hold: PerUnit,
    alpha: float = 0.05,
    correction: Correction = "bh",
) -> Concordance:
    """Compares the results of two independent sets, the first used for finding and the second for holding.

    The p-values are given uncorrected; one that is NaN is not significant.
    """
    adjust = CORRECTIONS[correction]
    found = adjust(p_fit) <= alpha
    same = np.sign(effect_fit) == np.sign(effect_hold)
    held = found & same & (adjust(np.where(found, p_hold, np.nan)) <= alpha)
    share = float(np.count_nonzero(held) / np.count_nonzero(found)) if found.any() else float("nan")
    return Concordance(effect_fit, effect_hold, p_fit, p_hold, found, held, share)


def split_by_document(
    documents: Int[np.ndarray, " samples"], labels: Labels, rng: np.random.Generator
) -> Bool[np.ndarray, " samples"]:
    """True for the samples of the half used for finding; no document is on both sides.

    Documents are dealt out in random order, larger ones first among many, each to the side that is shorter
    of the labels it brings. Raises :class:`ActmaxError` where fewer than two documents hold a group.
    """
    group_sizes(np.empty((len(labels), 0)), labels)
    names, document = np.unique(documents, return_inverse=True)
    counts = np.stack(
        [np.bincount(document, weights=labels == label, minlength=len(names)) for label in (True, False)],
        axis=1,
    )
    for label, column in ((True, 0), (False, 1)):
        holding = int(np.count_nonzero(counts[:, column]))
        if holding < 2:
            raise ActmaxError(
                f"the samples labelled {label} come from {holding} document, so no half can be held out; "
                "add documents or split by sample"
            )
    share = counts / counts.sum(axis=0)
    order = rng.permutation(len(names))
    order = order[np.argsort(-share[order].max(axis=1), kind="stable")]
    filled = np.zeros((2, 2))
    side = np.empty(len(names), dtype=bool)
    for name in order:
        lack = (filled[1] - filled[0]) @ share[name]
        first = bool(lack > 0) if lack != 0 else bool(rng.integers(2))
        side[name] = first
        filled[0 if first else 1] += share[name]
    return side[document]
