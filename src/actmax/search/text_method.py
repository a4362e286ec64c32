"""What a token search is: a problem, a scorer, and a method that proposes.

A method is a frozen dataclass of hyperparameters with a generator of steps. It holds no budget (the scorer
ends it), keeps no best (the scorer does), writes no checkpoint (the scorer's journal is one) and draws no
numbers but from the generator it is given, so that the same seed and the same answers give the same search.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import torch

from actmax.errors import ActmaxError
from actmax.inputs.allowed import Allowed
from actmax.inputs.frame import Frame
from actmax.inputs.tokens import Tokens
from actmax.models.model import Model
from actmax.search.goal import Goal

if TYPE_CHECKING:
    from actmax.search.text_scorer import TextScorer

Row: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class TextProblem:
    """What is searched for, whatever the method."""

    model: Model
    goal: Goal
    length: int
    """Searched tokens: so many, or at most so many where ``shortest`` is below."""
    allowed: Allowed
    frame: Frame = field(default_factory=Frame)
    reachable: bool = True
    """Only sequences that survive decode → encode are results."""
    shortest: int | None = None
    """The fewest tokens; None is ``length``. A method may always use all."""
    starts: tuple[Row, ...] = ()
    """Sequences worth starting from (corpus windows), best first; methods may use them or not."""

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ActmaxError(f"The length is {self.length}; give at least 1 token.")
        if not 1 <= self.least <= self.length:
            raise ActmaxError(f"The shortest length is {self.shortest}; give 1 to {self.length}.")
        whole = len(self.frame.before) + self.length + len(self.frame.after)
        if whole > self.model.context:
            raise ActmaxError(
                f"Prefix, {self.length} tokens and suffix are {whole} positions, but {self.model.name} "
                f"reads at most {self.model.context}; shorten them."
            )
        at = self.goal.positions
        read = self.least + len(self.frame.after)
        if isinstance(at, int) and not 0 <= at < read:
            raise ActmaxError(f"Position {at} is not one of those that are read; give 0 to {read - 1}.")
        unread = not self.frame.before and not self.goal.read_first
        if unread and (read == 1 or at == 0):
            raise ActmaxError(
                "Without BOS and prefix the only position to read is the first, which is an attention sink "
                "in most models; use --bos auto, a longer text, or --include-sinks."
            )

    @property
    def least(self) -> int:
        """The fewest searched tokens."""
        return self.length if self.shortest is None else self.shortest

    @cached_property
    def tokens(self) -> Tokens:
        """Which sequences may be given: ``keep(ids)`` and ``random(n, length, rng)``."""
        return Tokens(self.model, self.allowed, self.frame, self.reachable)


@dataclass(frozen=True)
class TextStep:
    """Where a method stands; what was best so far the scorer knows."""

    index: int
    population: tuple[Row, ...]
    """The sequences that it goes on from."""
    scores: tuple[float, ...]
    """Their scores (as the goal defines them)."""


Steps: TypeAlias = Generator[TextStep, None, str]
"""Steps, and at the end why there are no more (a sentence: what has converged)."""


@runtime_checkable
class TextMethod(Protocol):
    """A search over tokens: a frozen dataclass whose fields are its hyperparameters."""

    def search(self, scorer: TextScorer, problem: TextProblem, rng: torch.Generator) -> Steps:
        """Propose until nothing is left to propose; the scorer raises ``BudgetSpent`` when the budget is."""
