"""Units over a corpus: one number for every unit at every position of every window.

1. The model runs over the windows, in order, no deeper than the deepest unit asks; logits are computed only
   when a unit is one.
2. Each unit's values are kept (4 bytes a position: half a megabyte for a unit over 128,000 tokens; in a file
   once they are large), with the residual norms at the units' depths. From them every statistic is exact,
   and every example can be shown with the values around it.
3. Ctrl-C ends the loop after whole windows; what was read until then is the result.

This is for a handful of units. All units of a model are an atlas's business, which keeps summaries alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int

from actmax.corpus.sinks import MULTIPLE
from actmax.corpus.windows import Windows
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.residual import residual_at
from actmax.models.sites import LOGITS, Site, Unit
from actmax.objectives.activation import along
from actmax.progress import Progress, silent

WINDOWS_AT_ONCE = 8
_IN_MEMORY = 1 << 28
"""Bytes; more than that goes into a temporary file."""


@dataclass(frozen=True)
class Readings:
    """What some units gave on the first ``n_windows`` of the windows."""

    model: Model
    units: tuple[Unit, ...]
    windows: Windows
    n_windows: int
    """How many were read; fewer than there are where the user stopped."""
    values: Float32[np.ndarray, "unit window pos"]
    norms: Float32[np.ndarray, "depth window pos"]
    """L2 norm of the residual stream at each of ``depths``."""
    depths: tuple[Site, ...]

    @property
    def complete(self) -> bool:
        """Whether all windows were read."""
        return self.n_windows == self.windows.n_windows

    def sinks(
        self, unit: int, real: Bool[np.ndarray, "window pos"], multiple: float = MULTIPLE
    ) -> Bool[np.ndarray, "window pos"]:
        """Where the residual norm at a unit's depth exceeds ``multiple`` times its median.

        Args:
            unit: which of the units.
            real: the positions that the median is taken over (not position 0, not padding).
            multiple: of the median.
        """
        depth = residual_at(self.model, self.units[unit].site)
        if depth is None or not real.any():
            return np.zeros(real.shape, dtype=bool)
        norm = self.norms[self.depths.index(depth), : self.n_windows]
        return norm > multiple * float(np.median(norm[real]))


def read_units(
    model: Model,
    units: Sequence[Unit],
    windows: Windows,
    *,
    windows_at_once: int = WINDOWS_AT_ONCE,
    progress: Progress = silent,
) -> Readings:
    """Run the model over the windows and keep what the units give.

    Args:
        model: in eval mode.
        units: one or more.
        windows: not longer than the model's context.
        windows_at_once: rows of a batch (one for logits, which are wide).
        progress: told of the tokens read, under ``"observing"``.

    Raises:
        ActmaxError: the windows are longer than the model's context, or an activation is not finite.
        KeyboardInterrupt: stopped before the first window was read.
    """
    if windows.length > model.context:
        raise ActmaxError(
            f"Windows of {windows.length} positions are longer than what {model.name} reads"
            f" ({model.context}); use --window {model.context} or less."
        )
    found = [residual_at(model, unit.site) for unit in units]
    depths = tuple(dict.fromkeys(site for site in found if site is not None))
    sites = frozenset([unit.site for unit in units]) | frozenset(depths)
    shape = (windows.n_windows, windows.length)
    values, norms = _array((len(units), *shape)), _array((len(depths), *shape))
    at_once = 1 if any(site.name == LOGITS for site in sites) else windows_at_once
    done = tokens = 0
    try:
        for start in range(0, windows.n_windows, at_once):
            batch = windows.batch(start, start + at_once)
            stop = start + len(batch.ids)
            with torch.inference_mode():
                acts = read(model, sites, ids=batch.ids.to(model.device))
                for k, unit in enumerate(units):
                    values[k, start:stop] = along(unit, acts[unit.site]).float().cpu().numpy()
                for k, site in enumerate(depths):
                    norm = torch.linalg.vector_norm(acts[site].float(), dim=-1)
                    norms[k, start:stop] = norm.cpu().numpy()
            _check_finite(values[:, start:stop], batch.valid.numpy(), model)
            done, tokens = stop, tokens + int((batch.where >= 0).sum())
            progress("observing", tokens, windows.n_tokens, unit="tokens")
    except KeyboardInterrupt:
        if not done:
            raise
    return Readings(model, tuple(units), windows, done, values[:, :done], norms[:, :done], depths)


def _check_finite(
    values: Float32[np.ndarray, "unit window pos"], valid: Bool[np.ndarray, "window pos"], model: Model
) -> None:
    if not np.isfinite(values[:, valid]).all():
        raise ActmaxError(
            f"{model.name} gives activations that are not finite on this corpus in"
            f" {str(model.dtype).removeprefix('torch.')}; use --dtype float32."
        )


def _array(shape: tuple[int, ...]) -> Float32[np.ndarray, "n window pos"]:
    if 4 * int(np.prod(shape)) <= _IN_MEMORY:
        return np.zeros(shape, dtype=np.float32)
    with tempfile.TemporaryFile(prefix="actmax-") as file:
        return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)


def positions(
    windows: Windows, n_windows: int
) -> tuple[Int[np.ndarray, "window pos"], Int[np.ndarray, " window"], Bool[np.ndarray, "window pos"]]:
    """Corpus positions, documents, and what is valid, of the first ``n_windows`` windows."""
    batch = windows.batch(0, n_windows)
    return batch.where.numpy(), batch.document.numpy(), batch.valid.numpy()
