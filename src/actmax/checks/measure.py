"""What a check measures, before it is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from actmax.results.finding import Control, Group, Number, Picture


@dataclass(frozen=True)
class Measure:
    """One check of one unit on one model.

    The statistic is made in the same way for the unit and for random units of its site, and larger means more
    of what the check looks for.
    """

    name: str
    assumption: str
    statistic: float
    others: tuple[float, ...]
    """The statistic of random units of the site."""
    numbers: tuple[Number, ...]
    """The first is the statistic."""
    pictures: tuple[Picture, ...]
    groups: tuple[Group, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    """What the answer is decided by."""
    words: str = ""
    """A sentence about what was found."""


def rank_p(value: float, others: Sequence[float]) -> float:
    """``(1 + how many of the n others reach the value) / (1 + n)``; 1 for NaN.

    Where the value is drawn as the others are, ``P(p <= a) <= a`` for every a, ties or not.
    """
    if not np.isfinite(value):
        return 1.0
    reached = sum(1 for other in others if not np.isfinite(other) or other >= value)
    return (1 + reached) / (1 + len(others))


def middle(values: Sequence[float]) -> float:
    """The median of the finite ones; NaN where there are none."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")


def against(value: float, others: Sequence[float], label: str = "random units of the site") -> Control:
    """The median of random units as a control, with the rank of the value among them."""
    return Control(f"{len(others)} {label} (median)", middle(others), len(others), rank_p(value, others))
