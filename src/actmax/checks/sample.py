"""One reading of a corpus for all checks: a unit, random units of its site, and what they read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int
from torch import Tensor

from actmax.checks.kinds import Standardization
from actmax.corpus.reading import Readings, read_units
from actmax.corpus.windows import Windows
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import EMBED, Site, Unit, list_sites
from actmax.progress import Progress, silent
from actmax.shapes import Acts

_AT_ONCE = 8
_RESIDUAL = ("hook_resid_pre", "hook_resid_post")


@dataclass(frozen=True)
class UnitSample:
    """What was read. ``values[0]`` is the unit; the random units of its site follow."""

    model: Model
    unit: Unit
    others: tuple[Unit, ...]
    windows: Windows
    readings: Readings
    inputs: Float32[Tensor, "window pos d_model"]
    """The residual stream at the unit's input (:func:`input_site`)."""
    input_site: Site
    ids: Int[np.ndarray, "window pos"]
    document: Int[np.ndarray, " window"]
    where: Int[np.ndarray, "window pos"]
    kept: Bool[np.ndarray, "window pos"]
    """Where the units are read: real tokens that are not at position 0 and are no sinks."""

    @property
    def values(self) -> Float32[np.ndarray, "unit window pos"]:
        """The activation of every unit everywhere."""
        return self.readings.values

    @cached_property
    def means(self) -> Float32[np.ndarray, " unit"]:
        """The mean of each unit over the positions that are read."""
        return np.asarray(self.values[:, self.kept].mean(axis=1, dtype=np.float64).astype(np.float32))

    @cached_property
    def constant(self) -> bool:
        """Whether the unit has the same value everywhere, so that no example is stronger than another."""
        read = self.values[0][self.kept]
        return bool((read == read[0]).all())

    @property
    def n(self) -> int:
        """How many positions are read."""
        return int(self.kept.sum())

    @cached_property
    def scale(self) -> Standardization:
        """Mean and standard deviation of the residual vectors."""
        return Standardization.of(self.inputs[self.kept].numpy())

    def vectors(self, places: Sequence[tuple[int, int]]) -> Float32[np.ndarray, "place d_model"]:
        """The residual vectors at some places (window, position)."""
        rows, columns = zip(*places, strict=True)
        made: np.ndarray = self.inputs[list(rows), list(columns)].numpy()
        return made

    def strongest(
        self,
        unit: int,
        n: int,
        each: int = 2,
        allowed: Bool[np.ndarray, "window pos"] | None = None,
        *,
        repeats: bool = True,
    ) -> list[tuple[int, int]]:
        """The ``n`` largest activations as (window, position), at most ``each`` of one window.

        Without ``repeats`` no document gives the same token twice.
        """
        mask = self.kept if allowed is None else self.kept & allowed
        rows, columns = np.nonzero(mask)
        order = np.argsort(-self.values[unit][mask], kind="stable")
        taken: Counter[int] = Counter()
        seen: set[tuple[int, int]] = set()
        found: list[tuple[int, int]] = []
        for place in order:
            row, column = int(rows[place]), int(columns[place])
            what = int(self.document[row]), int(self.ids[row, column])
            if taken[row] >= each or (what in seen and not repeats):
                continue
            taken[row] += 1
            seen.add(what)
            found.append((row, column))
            if len(found) == n:
                break
        return found


def input_site(model: Model, site: Site) -> Site:
    """The residual stream from which a unit is computed.

    Before the MLP for the MLP's units, before the block for every other site of a block (for
    ``hook_resid_pre``: before the block that wrote it), after the last block for the final norm and the
    logits, and the embedding itself where nothing comes before.
    """
    if site.name == EMBED:
        return site
    if site.layer is None:
        last = model.n_blocks - 1
        return Site(f"blocks.{last}.hook_resid_post", last)
    if "mlp" in site.kind and f"blocks.{site.layer}.hook_resid_mid" in list_sites(model):
        return Site(f"blocks.{site.layer}.hook_resid_mid", site.layer)
    layer = site.layer - 1 if site.kind == "hook_resid_pre" else site.layer
    return Site(f"blocks.{max(layer, 0)}.hook_resid_pre", max(layer, 0))


def take_sample(
    model: Model,
    unit: Unit,
    others: Sequence[Unit],
    windows: Windows,
    *,
    progress: Progress = silent,
) -> UnitSample:
    """Run the model once over the windows.

    Raises:
        ActmaxError: every position is left out, or an activation is not finite.
        KeyboardInterrupt: stopped before all was read; a part would give other numbers each time.
    """
    before = input_site(model, unit.site)
    inputs = torch.zeros(windows.n_windows, windows.length, model.d_model)

    def see(rows: slice, value: Acts) -> None:
        inputs[rows] = value.float().cpu()

    readings = read_units(
        model, (unit, *others), windows, windows_at_once=_AT_ONCE, progress=progress, also=before, see=see
    )
    if not readings.complete:
        raise KeyboardInterrupt
    whole = windows.batch(0, windows.n_windows)
    valid = whole.valid.numpy()
    kept = valid & ~readings.sinks(0, valid)
    if kept.sum() < 2:
        raise ActmaxError(
            f"The corpus {windows.tokens.name!r} leaves fewer than two positions to read; give more text."
        )
    return UnitSample(
        model,
        unit,
        tuple(others),
        windows,
        readings,
        inputs,
        before,
        whole.ids.numpy(),
        whole.document.numpy(),
        whole.where.numpy(),
        kept,
    )
