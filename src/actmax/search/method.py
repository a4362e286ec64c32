"""What a search method is: a frozen dataclass of hyperparameters with a generator of steps.

A method holds no budget (the scorer ends it), keeps no best (the scorer does), writes no checkpoint (the
scorer's journal is one) and draws no numbers but from the generator it is given, so that the same seed and
the same answers give the same search.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from actmax.inputs.soft import VectorSpace
from actmax.inputs.tokens import TokenSpace
from actmax.search.problem import Problem, Row
from actmax.search.scorer import Scorer
from actmax.settings import Settings
from actmax.shapes import Embeds


@dataclass(frozen=True)
class VectorState:
    """All restarts of a search over vectors after one of its updates."""

    embeds: Embeds
    """``[restart, pos, d_model]``"""
    activation: Float[Tensor, " restart"]
    """Of the reported term, in its own units (not the objective)."""
    gradient_norm: Float[Tensor, " restart"]
    """``‖∂objective/∂embeds‖``"""
    neighbors: Float[Tensor, "restart neighbor"]
    """Activation of the watched neighbours."""
    stopped: Mapping[int, str] = field(default_factory=dict)
    """Restarts that ended early, with the reason."""


@dataclass(frozen=True)
class Step:
    """Where a method stands; what was best so far the scorer knows."""

    index: int
    rows: tuple[Row, ...] = ()
    """The sequences of tokens that it goes on from."""
    scores: tuple[float, ...] = ()
    """Their scores."""
    vectors: VectorState | None = None
    """Where a search over vectors stands."""
    total: int = 0
    """Steps that it will take; 0 where that is not known."""


Steps: TypeAlias = Generator[Step, None, str]
"""Steps, and at the end why there are no more (a sentence: what has converged)."""


@dataclass(frozen=True, kw_only=True)
class Method(Settings, ABC):
    """A search procedure, whose fields are its hyperparameters: ``GCG(top_k=64)``."""

    name: ClassVar[str]
    """As ``--method`` takes it."""
    space: ClassVar[type[TokenSpace] | type[VectorSpace]] = TokenSpace
    """What it searches."""
    once: ClassVar[bool] = False
    """A second restart would do the same again (or all restarts are one batch)."""

    @abstractmethod
    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Propose until nothing is left to propose; the scorer raises ``BudgetSpent`` when the budget is."""
