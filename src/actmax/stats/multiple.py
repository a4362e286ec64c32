"""P-values corrected for testing many units: Bonferroni, and Benjamini & Hochberg (1995).

Both exist in two scopes: *within a site*, where a unit is compared with the other units of its site only, and
*over the model*, where all units tested count. A unit whose p-value is NaN (constant: not tested) stays NaN
and does not count as a test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

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
    one = np.zeros(len(p), dtype=np.int64)
    within = one if sites is None else sites
    return Adjusted(
        p,
        bonferroni(p, within),
        bonferroni(p, one),
        benjamini_hochberg(p, within),
        benjamini_hochberg(p, one),
    )


def bonferroni(p: PerUnit, family: Int[np.ndarray, " units"] | None = None) -> PerUnit:
    """``min(1, m p)``, with m the number of tests (NaN apart) in the unit's family."""
    _check(p, family)
    number, family = _families(p, family)
    tests = np.bincount(family, weights=np.isfinite(p), minlength=number)
    return np.asarray(np.minimum(p * tests[family], 1.0))


def benjamini_hochberg(p: PerUnit, family: Int[np.ndarray, " units"] | None = None) -> PerUnit:
    """``min over k >= rank of (m p_(k) / k)`` within the unit's family, at most 1."""
    _check(p, family)
    number, family = _families(p, family)
    tests = np.bincount(family, weights=np.isfinite(p), minlength=number)
    order = np.lexsort((p, family))  # by family, then by p, NaN last
    begins = np.searchsorted(family[order], np.arange(number))
    rank = np.arange(len(p)) - begins[family[order]] + 1
    scaled = p[order] * tests[family[order]] / rank
    result = np.empty(len(p))
    for begin, end in zip(begins, np.append(begins, len(p))[1:], strict=True):
        result[order[begin:end]] = np.fmin.accumulate(scaled[begin:end][::-1])[::-1]
    return np.where(np.isnan(p), np.nan, np.minimum(result, 1.0))


def _families(p: PerUnit, family: Int[np.ndarray, " units"] | None) -> tuple[int, Int[np.ndarray, " units"]]:
    """Families renumbered from 0 without gaps, and their number."""
    if family is None:
        return 1, np.zeros(len(p), dtype=np.int64)
    names, numbered = np.unique(family, return_inverse=True)
    return len(names), numbered.astype(np.int64)


def _check(p: PerUnit, family: Int[np.ndarray, " units"] | None) -> None:
    if family is not None and family.shape != p.shape:
        raise ActmaxError(
            f"there are {len(p)} p-values and {len(family)} site numbers; give one for each unit"
        )
    if ((p < 0) | (p > 1)).any():
        raise ActmaxError("a p-value lies outside 0 to 1; correct the p-values before any other scaling")
