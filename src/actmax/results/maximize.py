"""The result of ``maximize``: everything that ``result.json`` holds, and the tensors beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from actmax.errors import ActmaxError
from actmax.results.frames import Table, columns, library
from actmax.results.manifest import Manifest
from actmax.results.plain import from_plain, json_text, to_plain
from actmax.results.rendering import renderer_of
from actmax.results.run import Best, Candidate, CorpusMaximum, Cost, Isolation, RandomTokens, Run
from actmax.results.store import read_json, read_tensors, tensor_bytes, write_files

SCHEMA = "actmax.maximize/1"

START, OPTIMUM = "start", "optimum"
"""Names of tensors: the vectors of every restart before and after the search, ``[restart, pos, d_model]``."""
COSINE = "cosine"
"""Cosine of the best restart's vectors to every token, ``[pos, vocab]``, float16."""
SITE_BEFORE, SITE_AFTER = "site_before", "site_after"
"""The site's values in the best restart, reduced over positions as the objective does, ``[width]``."""
EMBEDDING_SAMPLE = "embedding_sample"
"""Values drawn from the model's embedding matrix, ``[n]``."""

RESULT, MANIFEST = "result.json", "manifest.json"
TENSORS, REPORT = "tensors.safetensors", "report.html"


@dataclass(frozen=True)
class MaximizeResult:
    """What a search for the input of one unit found."""

    unit: str
    site: str
    index: int | None
    """None where the unit is a direction."""
    model: str
    method: str
    seed: int
    positions: str
    """How activations are reduced over positions: ``mean``, ``last``, ``max``, the number of one position
    (after the prefix), or ``each``: one search a position."""
    settings: Mapping[str, Any]
    """The method's hyperparameters."""
    objective: str
    """In words, with its weights."""
    runs: tuple[Run, ...]
    best: Best
    cost: Cost
    manifest: Manifest
    complete: bool = True
    """False where the search was interrupted."""
    minimize: bool = False
    neighbors: tuple[int, ...] = ()
    """The indices whose mean is ``neighbor_activation``."""
    random_tokens: RandomTokens | None = None
    isolation: Isolation | None = None
    corpus_maximum: CorpusMaximum | None = None
    frontier: tuple[Candidate, ...] = ()
    """No other candidate is both more active and more likely; empty for soft methods."""
    solutions: tuple[Candidate, ...] = ()
    """Where a method gives several distinct solutions, best first."""
    tensors: Mapping[str, Tensor] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    """Name to tensor; the names are this module's constants."""

    @property
    def best_run(self) -> Run:
        """The restart that ``best`` names."""
        return next(run for run in self.runs if run.restart == self.best.restart)

    @property
    def is_soft(self) -> bool:
        """Whether vectors were optimised, whose nearest tokens are then another thing than the optimum."""
        return any(run.cosine for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """What ``result.json`` holds."""
        plain: dict[str, Any] = to_plain(replace(self, tensors={}))
        del plain["tensors"], plain["manifest"]
        return {"schema": SCHEMA, **plain}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``result.json``, ``manifest.json``, ``tensors.safetensors``, ``report.html``: all, or none.

        Raises:
            ActmaxError: the folder cannot be made or written to, or its disk is full.
        """
        write_files(
            folder,
            {
                RESULT: json_text(self.to_json()).encode(),
                MANIFEST: json_text(self.manifest.to_json()).encode(),
                TENSORS: tensor_bytes(self.tensors),
                REPORT: renderer_of(SCHEMA).page(self).encode(),
            },
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> MaximizeResult:
        """What :meth:`save` wrote.

        Raises:
            ActmaxError: a file is missing, was changed, or is of another kind or version.
        """
        place = Path(folder)
        data = read_json(place / RESULT, SCHEMA)
        manifest = read_json(place / MANIFEST, Manifest.schema)
        known = {name: value for name, value in data.items() if name != "tensors"}
        made = from_plain(cls, {**known, "manifest": manifest}, RESULT)
        if all(run.restart != made.best.restart for run in made.runs):
            raise ActmaxError(f"{RESULT} names a best restart that it does not hold; make it again.")
        return replace(made, tensors=read_tensors(place / TENSORS))

    def to_pandas(self, what: Table = "runs") -> Any:
        """A ``pandas.DataFrame``: one row per restart, or with ``"trajectories"`` one per restart and step.

        Raises:
            ActmaxError: pandas is not installed.
        """
        return library("pandas").DataFrame(columns(self.runs, what))

    def to_polars(self, what: Table = "runs") -> Any:
        """A ``polars.DataFrame``, as :meth:`to_pandas`.

        Raises:
            ActmaxError: polars is not installed.
        """
        return library("polars").DataFrame(columns(self.runs, what))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return renderer_of(SCHEMA).summary(self)
