"""The result of ``select``: which units tell two groups of text apart, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from torch import Tensor

from actmax.errors import ActmaxError
from actmax.results.frames import Framed
from actmax.results.manifest import Manifest
from actmax.results.plain import to_plain
from actmax.results.saving import Saved
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
from actmax.results.shown import Beside

SCHEMA = "actmax.select/1"


@dataclass(frozen=True)
class SelectResult(Saved, Framed):
    """What tells two groups of text apart in a model."""

    schema: ClassVar[str] = SCHEMA
    tensor_file: ClassVar[str | None] = "statistics.safetensors"

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
    manifest: Annotated[Manifest, Beside()]
    notes: tuple[str, ...] = ()
    """What a reader has to know: words that never occur, halves that share a document."""
    complete: bool = True
    """False where the user stopped before everything was done."""
    tensors: Annotated[Mapping[str, Tensor], Beside()] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    """Statistics of all units, ``[n_units]`` each, in the order of ``sites`` and index."""

    def columns(self, what: str | None = None) -> Mapping[str, list[Any]]:
        """One row a unit (``"units"``), or one a site (``"layers"``).

        Raises:
            ActmaxError: there is no such table.
        """
        rows: tuple[Any, ...]
        if what in (None, "units"):
            rows = self.units
        elif what == "layers":
            rows = self.layers
        else:
            raise ActmaxError(f"There is no table {what!r}; ask for 'units' or 'layers'.")
        plain = [to_plain(row) for row in rows]
        names = [name for name in (plain[0] if plain else {}) if not isinstance(plain[0][name], dict)]
        return {name: [row[name] for row in plain] for name in names}
