"""The result of ``select``: which units tell two groups of text apart, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from torch import Tensor

from actmax.numbers import count, number, percent
from actmax.results.frames import Framed, columns_of, no_table
from actmax.results.manifest import Manifest
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

_HELD_OUT = {
    "documents": "documents that were held out",
    "words": "words that were held out",
    "samples": "samples that were held out",
    "second set": "a second set of texts",
}
"""What units were validated on."""


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
    conclusion: tuple[str, ...] = field(init=False, default=())
    """What was found and how far it holds, in sentences; it follows from the numbers."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "conclusion", _concluded(self))

    @property
    def corrected(self) -> str:
        """How the p-values of the units were corrected, in words."""
        how = {"bh": "Benjamini-Hochberg", "bonferroni": "Bonferroni"}.get(
            self.settings.get("correction", "bh")
        )
        if how is None:
            return "without a correction for testing many"
        return f"{how} {'within each site' if self.settings.get('scope') == 'site' else 'over all units'}"

    def columns(self, what: str | None = None) -> Mapping[str, list[Any]]:
        """One row per unit (``"units"``), or one per site (``"layers"``).

        Raises:
            ActmaxError: there is no such table.
        """
        if what in (None, "units"):
            return columns_of(self.units, UnitSelectivity)
        if what == "layers":
            return columns_of(self.layers, Layer)
        raise no_table(what, "units", "layers")


def _concluded(result: SelectResult) -> tuple[str, ...]:
    """Two to four sentences that say what was found, and how far it holds."""
    share = result.significant / result.n_units if result.n_units else 0.0
    said = [
        f"{count(result.significant)} of {count(result.n_units)} units ({percent(share)}) tell"
        f" {result.a.name} from {result.b.name} at a level of"
        f" {float(result.settings.get('alpha', 0.05)):g} ({result.corrected}; {count(result.a.samples)} and"
        f" {count(result.b.samples)} samples)."
    ]
    held = result.held_out
    if held is not None and held.found:
        where = _HELD_OUT.get(held.kind, "other texts")
        said.append(f"Of {count(held.found)} found on one set, {percent(held.concordance)} hold on {where}.")
    if result.units and result.units[0].significant:
        best = result.units[0]
        strongest = f"The strongest is {best.unit} (d {number(best.d)}"
        if math.isfinite(best.accuracy_held):
            strongest += f"; its threshold is right for {percent(best.accuracy_held)} of the held-out samples"
        said.append(f"{strongest}).")
    if not result.significant:
        said.append("Nothing here can be told from chance.")
    return tuple(said)
