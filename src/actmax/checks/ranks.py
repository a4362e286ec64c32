"""The rank of a number among the same number elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actmax.results.finding import Control


def rank_p(value: float, others: Sequence[float]) -> float:
    """``(1 + how many of the n others reach the value) / (1 + n)``; 1 for NaN.

    Where the value is drawn as the others are, ``P(p <= a) <= a`` for every a, with ties or without.
    """
    if not np.isfinite(value):
        return 1.0
    reached = sum(1 for other in others if not np.isfinite(other) or other >= value)
    return (1 + reached) / (1 + len(others))


def middle(values: Sequence[float]) -> float:
    """The median of the finite values; NaN where there are none."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")


def against(value: float, others: Sequence[float], label: str = "random units of the site") -> Control:
    """The median of random units as a control, with the rank of the value among them."""
    return Control(f"{len(others)} {label} (median)", middle(others), len(others), rank_p(value, others))
