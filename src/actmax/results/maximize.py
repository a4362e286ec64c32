"""The result of ``maximize``: everything that ``result.json`` holds, and the tensors beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from torch import Tensor

from actmax.errors import ActmaxError
from actmax.results.frames import Framed, columns_of, columns_of_steps, no_table
from actmax.results.manifest import Manifest
from actmax.results.run import (
    Best,
    Candidate,
    CorpusMaximum,
    Cost,
    Isolation,
    RandomTokens,
    Run,
    Trajectory,
)
from actmax.results.saving import RESULT, Saved
from actmax.results.shown import Beside, Count, Keywords

SCHEMA = "actmax.maximize/1"

START, OPTIMUM = "start", "optimum"
"""Names of tensors: the vectors of every restart before and after the search, ``[restart, pos, d_model]``."""
COSINE = "cosine"
"""Cosine of the best restart's vectors to every token, ``[pos, vocab]``, float16."""
SITE_BEFORE, SITE_AFTER = "site_before", "site_after"
"""The site's values in the best restart, reduced over positions as the objective does, ``[width]``."""
EMBEDDING_SAMPLE = "embedding_sample"
"""Values drawn from the model's embedding matrix, ``[n]``."""


@dataclass(frozen=True)
class MaximizeResult(Saved, Framed):
    """What a search for the input of one unit found."""

    schema: ClassVar[str] = SCHEMA
    tensor_file: ClassVar[str | None] = "tensors.safetensors"

    unit: str
    site: str
    index: Count | None
    """None where the unit is a direction."""
    model: str
    method: str
    seed: int
    positions: Annotated[str, Keywords(pattern=r"^(mean|last|max|each|[0-9]+)$")]
    """How activations are reduced over positions: ``mean``, ``last``, ``max``, the number of one position
    (after the prefix), or ``each``: one search a position."""
    settings: Mapping[str, Any]
    """The method's hyperparameters."""
    objective: str
    """In words, with its weights."""
    runs: tuple[Run, ...]
    best: Best
    cost: Cost
    manifest: Annotated[Manifest, Beside()]
    complete: bool = True
    """False where the search was interrupted."""
    minimize: bool = False
    neighbors: tuple[Count, ...] = ()
    """The indices whose mean is ``neighbor_activation``."""
    random_tokens: RandomTokens | None = None
    isolation: Isolation | None = None
    corpus_maximum: CorpusMaximum | None = None
    frontier: tuple[Candidate, ...] = ()
    """No other candidate is both more active and more likely; empty for soft methods."""
    solutions: tuple[Candidate, ...] = ()
    """Where a method gives several distinct solutions, best first."""
    tensors: Annotated[Mapping[str, Tensor], Beside()] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    """Name to tensor; the names are this module's constants."""

    @property
    def best_run(self) -> Run:
        """The restart that ``best`` names."""
        return next(run for run in self.runs if run.restart == self.best.restart)

    @property
    def is_soft(self) -> bool:
        """Whether vectors were optimised, whose nearest tokens then differ from the optimum."""
        return any(run.cosine for run in self.runs)

    def columns(self, what: str | None = None) -> dict[str, list[Any]]:
        """One row per restart (``"runs"``), or one per restart and step (``"trajectories"``).

        Raises:
            ActmaxError: there is no such table.
        """
        if what in (None, "runs"):
            return columns_of(self.runs, Run)
        if what == "trajectories":
            return columns_of_steps([(run.restart, run.trajectory) for run in self.runs], Trajectory)
        raise no_table(what, "runs", "trajectories")

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Manifest) -> MaximizeResult:
        made = super()._from_json(data, manifest)
        if all(run.restart != made.best.restart for run in made.runs):
            raise ActmaxError(f"{RESULT} names a best restart that it does not hold; make it again.")
        return made
