"""The result of ``select``: which units tell two groups of text apart, as plain data."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeVar

from torch import Tensor

from actmax.numbers import count, formatted, percent
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
    Point,
    Probed,
    SelectCorpus,
    SelectCost,
    UnitSelectivity,
    from_before,
)
from actmax.results.shown import Beside

SCHEMA = "actmax.select/1"

Row = TypeVar("Row", UnitSelectivity, Point)


@dataclass(frozen=True)
class SelectResult(Saved, Framed):
    """What tells two groups of text apart in a model."""

    schema: ClassVar[str] = SCHEMA
    tensor_file: ClassVar[str | None] = "statistics.safetensors"

    model: str
    """Name of the model."""
    a: GroupRead
    """The first group; positive numbers mean that it is higher."""
    b: GroupRead
    """The group that it is compared with."""
    sites: tuple[str, ...]
    """Sites that were compared, in the order of the forward pass."""
    n_units: int
    """Units that were compared."""
    significant: int
    """Units that are significant by the test and the correction that were asked for."""
    units: tuple[UnitSelectivity, ...]
    """The most selective, best first."""
    layers: tuple[Layer, ...]
    """One for each site, in the order of the forward pass."""
    held_out: HeldOut | None
    """Validation on text that was held out; null where there were too few samples."""
    chance: Chance | None
    """What shuffled labels give; null where the user stopped before."""
    probe: Probed | None
    """Several units together; null where it was not asked for."""
    context: tuple[Context, ...]
    """One for each group that was read in context; empty where none was."""
    passages: tuple[PassageRead, ...]
    """Fresh text, and what the strongest units say at each token."""
    covariates: tuple[str, ...]
    """What could be held constant: ``length``, ``frequency``, ``position``."""
    settings: Mapping[str, Any]
    """What was asked, and how."""
    corpus: SelectCorpus | None
    """Null where none was used."""
    cost: SelectCost
    """What it took."""
    manifest: Annotated[Manifest, Beside()]
    notes: tuple[str, ...] = ()
    """What a reader has to know: words that never occur, halves that share a document."""
    complete: bool = True
    """False where the user stopped before everything was done."""
    conclusion: tuple[str, ...] = field(init=False, default=())
    """What was found and how far it holds, in sentences."""
    tensors: Annotated[Mapping[str, Tensor], Beside()] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    """Statistics of all units, ``[n_units]`` each, in the order of ``sites`` and index, named as the columns
    of ``units``; ``status`` numbers the kinds of ``fit``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "conclusion", tuple(_concluded(self)))

    def columns(self, what: str | None = None) -> Mapping[str, list[Any]]:
        """One row a unit (``"units"``), or one a site (``"layers"``).

        Raises:
            ActmaxError: there is no such table.
        """
        if what in (None, "units"):
            return columns_of(self.units, UnitSelectivity)
        if what == "layers":
            return columns_of(self.layers, Layer)
        raise no_table(what, "units", "layers")

    @property
    def corrected(self) -> str:
        """How the p-values of these units were corrected, in words."""
        how = {"bh": "Benjamini-Hochberg", "bonferroni": "Bonferroni"}.get(
            self.settings.get("correction", "bh")
        )
        if how is None:
            return "without a correction for testing many"
        return f"{how} {'within each site' if self.settings.get('scope') == 'site' else 'over all units'}"

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SelectResult:
        """What :meth:`save` wrote, also by version 0.1; infinite numbers come back from the tensors.

        Raises:
            ActmaxError: a file is missing, was changed, or is of another kind or version.
        """
        made = super().load(folder)
        widths = accumulate((one.units for one in made.layers), initial=0)
        begin = dict(zip(made.sites, widths, strict=False))

        def whole(row: Row, names: Mapping[str, str]) -> Row:
            site, _, index = row.unit.rpartition(":")
            return _with_infinite(row, made.tensors, begin[site] + int(index), names)

        units = tuple(whole(unit, {one.name: one.name for one in fields(unit)}) for unit in made.units)
        held = made.held_out
        if held is not None:
            names = {"found": "statistic_found", "held": "statistic_held"}
            held = replace(held, points=tuple(whole(point, names) for point in held.points))
        return replace(made, units=units, held_out=held)

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Manifest) -> SelectResult:
        return super()._from_json({**data, "units": [from_before(unit) for unit in data["units"]]}, manifest)


def _with_infinite(row: Row, tensors: Mapping[str, Tensor], at: int, names: Mapping[str, str]) -> Row:
    """The row with the numbers that are infinite in the tensors, and were null in the file."""
    found = {
        name: float(tensors[column][at])
        for name, column in names.items()
        if column in tensors and at < len(tensors[column])  # tensors may have been cut to save space
    }
    lost: Any = {name: value for name, value in found.items() if math.isinf(value)}
    return replace(row, **lost)


_VALIDATED_ON = {
    "documents": "documents that were held out",
    "words": "words that were held out",
    "samples": "samples that were held out",
    "second set": "a second set of texts",
}


def _concluded(result: SelectResult) -> Iterator[str]:
    """The sentences that say what was found, and how far it holds."""
    level = (
        f"at a level of {float(result.settings.get('alpha', 0.05)):g} ({result.corrected};"
        f" {count(result.a.samples)} and {count(result.b.samples)} samples)."
    )
    groups, all_units = f"{result.a.name} from {result.b.name}", f"{count(result.n_units)} units"
    if not result.significant:
        yield f"None of {all_units} tells {groups} {level}"
        yield "Nothing here can be told from chance."
        return
    share = percent(result.significant / result.n_units)
    yield f"{count(result.significant)} of {all_units} ({share}) tell {groups} {level}"
    held = result.held_out
    if held is not None and held.found:
        where = _VALIDATED_ON[held.kind]
        yield f"Of {count(held.found)} found on one set, {percent(held.concordance)} hold on {where}."
    if result.units and result.units[0].significant:
        best = result.units[0]
        right = f"; its threshold is right for {percent(best.accuracy_held)} of the held-out samples"
        yield (
            f"The strongest is {best.unit} (d {formatted(best.d, 'number')}"
            f"{right if math.isfinite(best.accuracy_held) else ''})."
        )
