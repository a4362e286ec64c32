"""What a search method is: a frozen dataclass of hyperparameters with a generator of steps.

Budget, progress, interruption and checkpoints are the runner's (``search/run.py``); a method only searches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from actmax.models.sites import Unit
from actmax.objectives.activation import Positions
from actmax.search.scorer import Scorer
from actmax.shapes import Embeds


@dataclass(frozen=True)
class Problem:
    """What is searched for, whatever the method."""

    unit: Unit
    positions: Positions
    start: Embeds
    """``[restart, pos, d_model]``: where each restart begins."""
    neighbors: tuple[int, ...] = ()
    """Indices of the unit's site that are watched beside it."""


@dataclass(frozen=True)
class Step:
    """The state of all restarts after so many updates."""

    index: int
    total: int
    embeds: Embeds
    """``[restart, pos, d_model]``"""
    activation: Float[Tensor, " restart"]
    """Of the unit, in its own units (not the objective)."""
    gradient_norm: Float[Tensor, " restart"]
    """``‖∂objective/∂embeds‖``"""
    neighbors: Float[Tensor, "restart neighbor"]
    """Activation of the watched neighbours."""
    stopped: Mapping[int, str] = field(default_factory=dict)
    """Restarts that ended early, with the reason."""


@runtime_checkable
class Method(Protocol):
    """A search procedure over an input."""

    def search(self, scorer: Scorer, problem: Problem) -> Iterator[Step]:
        """Yield the state at the start and after every update."""
