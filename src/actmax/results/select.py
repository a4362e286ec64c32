"""The result of ``select``: which units tell two groups of text apart, as plain data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from actmax.errors import ActmaxError
from actmax.results.frames import library
from actmax.results.manifest import Manifest
from actmax.results.plain import from_plain, json_text, to_plain
from actmax.results.rendering import renderer_of
from actmax.results.select_parts import (
    Chance,
    Context,
    GroupRead,
    HeldOut,
    Layer,
    PassageRead,
    Probed,
    SelectCorpus,
    SelectCost,
    UnitSelectivity,
)
from actmax.results.store import read_json, read_tensors, tensor_bytes, write_files

SCHEMA = "actmax.select/1"

RESULT, MANIFEST = "result.json", "manifest.json"
STATISTICS, REPORT = "statistics.safetensors", "report.html"


@dataclass(frozen=True)
class SelectResult:
    """What tells two groups of text apart in a model."""

    model: str
    a: GroupRead
    b: GroupRead
    sites: tuple[str, ...]
    n_units: int
    """Units that were compared."""
    significant: int
    """Of them, by the test and the correction that were asked for."""
    units: tuple[UnitSelectivity, ...]
    """The most selective, best first."""
    layers: tuple[Layer, ...]
    """One for each site, in the order of the forward pass."""
    held_out: HeldOut | None
    chance: Chance | None
    probe: Probed | None
    context: tuple[Context, ...]
    """One for each group that was read in context; empty where none was."""
    passages: tuple[PassageRead, ...]
    """Fresh text, and what the strongest units say at each token."""
    covariates: tuple[str, ...]
    """What could be held constant: ``length``, ``frequency``, ``position``."""
    settings: Mapping[str, Any]
    corpus: SelectCorpus | None
    cost: SelectCost
    manifest: Manifest
    notes: tuple[str, ...] = ()
    """What a reader has to know: words that never occur, halves that share a document."""
    complete: bool = True
    """False where the user stopped before everything was done."""
    tensors: Mapping[str, Tensor] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    """Statistics of all units, ``[n_units]`` each, in the order of ``sites`` and index."""

    def to_json(self) -> dict[str, Any]:
        """What ``result.json`` holds."""
        plain: dict[str, Any] = to_plain(replace(self, tensors={}))
        del plain["tensors"], plain["manifest"]
        return {"schema": SCHEMA, **plain}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``result.json``, ``manifest.json``, ``statistics.safetensors`` and the page: all, or none.

        Raises:
            ActmaxError: the folder cannot be made or written to, or its disk is full.
        """
        write_files(
            folder,
            {
                RESULT: json_text(self.to_json()).encode(),
                MANIFEST: json_text(self.manifest.to_json()).encode(),
                STATISTICS: tensor_bytes(self.tensors),
                REPORT: renderer_of(SCHEMA).page(self).encode(),
            },
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SelectResult:
        """What :meth:`save` wrote.

        Raises:
            ActmaxError: a file is missing, was changed, or is of another kind or version.
        """
        place = Path(folder)
        data = read_json(place / RESULT, SCHEMA)
        manifest = read_json(place / MANIFEST, Manifest.schema)
        known = {name: value for name, value in data.items() if name != "tensors"}
        made = from_plain(cls, {**known, "manifest": manifest}, RESULT)
        return replace(made, tensors=read_tensors(place / STATISTICS))

    def columns(self, what: str = "units") -> Mapping[str, list[Any]]:
        """Column name to values: one row a unit, or one a site with ``"layers"``.

        Raises:
            ActmaxError: there is no such table.
        """
        rows: tuple[Any, ...]
        if what == "units":
            rows = self.units
        elif what == "layers":
            rows = self.layers
        else:
            raise ActmaxError(f"There is no table {what!r}; ask for 'units' or 'layers'.")
        plain = [to_plain(row) for row in rows]
        names = [name for name in (plain[0] if plain else {}) if not isinstance(plain[0][name], dict)]
        return {name: [row[name] for row in plain] for name in names}

    def to_pandas(self, what: str = "units") -> Any:
        """A ``pandas.DataFrame`` of :meth:`columns`.

        Raises:
            ActmaxError: pandas is not installed.
        """
        return library("pandas").DataFrame(dict(self.columns(what)))

    def to_polars(self, what: str = "units") -> Any:
        """A ``polars.DataFrame`` of :meth:`columns`.

        Raises:
            ActmaxError: polars is not installed.
        """
        return library("polars").DataFrame(dict(self.columns(what)))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return renderer_of(SCHEMA).summary(self)
