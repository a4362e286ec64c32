"""P-values corrected for testing many units: Bonferroni, and Benjamini & Hochberg (1995).

Both exist in two scopes: *within a site*, where a unit is compared with the other units of its site only, and
*over the model*, where all units tested count. A unit whose p-value is NaN (constant: not tested) stays NaN
and does not count as a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.stats import false_discovery_control

from actmax.errors import ActmaxError
from actmax.stats.samples import PerUnit


@dataclass(frozen=True)
class Adjusted:
    """Corrected p-values: a unit is significant at level alpha where its corrected p is at most alpha."""

    p: PerUnit
    """As given, uncorrected."""
    bonferroni_site: PerUnit
    bonferroni_model: PerUnit
    bh_site: PerUnit
    """Controls the share of false discoveries among the units named, site by site."""
    bh_model: PerUnit
    """Controls the share of false discoveries among all units named."""


def adjust(p: PerUnit, sites: Int[np.ndarray, " units"] | None = None) -> Adjusted:
    """All four corrections; ``sites`` numbers the site of each unit (default: one site).

    Raises :class:`ActmaxError` where a p-value is outside 0 to 1.
    """
    return Adjusted(
        p, bonferroni(p, sites), bonferroni(p), benjamini_hochberg(p, sites), benjamini_hochberg(p)
    )


def bonferroni(p: PerUnit, family: Int[np.ndarray, " units"] | None = None) -> PerUnit:
    """``min(1, m p)``, with m the number of tests (NaN apart) in the unit's family."""
    return _within(family, p, lambda tested: np.minimum(tested * len(tested), 1.0))


def benjamini_hochberg(p: PerUnit, family: Int[np.ndarray, " units"] | None = None) -> PerUnit:
    """``min over k >= rank of (m p_(k) / k)`` within the unit's family, at most 1."""
    return _within(family, p, lambda tested: np.asarray(false_discovery_control(tested)))


def _within(
    family: Int[np.ndarray, " units"] | None, p: PerUnit, correct: Callable[[PerUnit], PerUnit]
) -> PerUnit:
    """The correction of every family's tests by themselves."""
    if family is not None and family.shape != p.shape:
        raise ActmaxError(
            f"there are {len(p)} p-values and {len(family)} site numbers; give one for each unit"
        )
    if ((p < 0) | (p > 1)).any():
        raise ActmaxError("a p-value lies outside 0 to 1; correct the p-values before any other scaling")
    family = np.zeros(len(p), dtype=np.int64) if family is None else family
    result, tested = np.full(len(p), np.nan), ~np.isnan(p)
    for name in np.unique(family[tested]):
        here = tested & (family == name)
        result[here] = correct(p[here])
    return result
