"""Units over a corpus: one number for every unit at every position of every window.

1. The model runs over the windows, in order, no deeper than the deepest unit needs; logits are computed only
   when a unit is one.
2. Each unit's values are stored (4 bytes per position: half a megabyte for a unit over 128,000 tokens; in a
   file once they are large), with the residual norms at the units' depths. From them every statistic is
   exact, and every example can be shown with the values around it.
3. Ctrl-C ends the loop after a whole batch; what was read until then is the result.

This is for a handful of units. For all units of a model there is the atlas, which stores only summaries.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int

from actmax.corpus.windows import Batch, Windows
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sinks import SINK_MULTIPLE, residual_at, residual_norm, residuals_of
from actmax.models.sites import LOGITS, Site, Unit
from actmax.objectives.activation import along
from actmax.progress import Progress, silent
from actmax.shapes import Acts

WINDOWS_AT_ONCE = 8
_IN_MEMORY = 1 << 28
"""The number of bytes above which values go into a temporary file."""


@dataclass(frozen=True)
class Readings:
    """What some units gave on the first ``n_windows`` of the windows."""

    model: Model
    units: tuple[Unit, ...]
    windows: Windows
    n_windows: int
    """The number of windows that were read; fewer than all where the user stopped."""
    values: Float32[np.ndarray, "unit window pos"]
    norms: Float32[np.ndarray, "depth window pos"]
    """L2 norm of the residual stream at each of ``depths``."""
    depths: tuple[Site, ...]

    @property
    def complete(self) -> bool:
        """Whether all windows were read."""
        return self.n_windows == self.windows.n_windows

    def sinks(
        self, unit: int, real: Bool[np.ndarray, "window pos"], multiple: float = SINK_MULTIPLE
    ) -> Bool[np.ndarray, "window pos"]:
        """The positions where the residual norm at a unit's depth exceeds ``multiple`` times its median.

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
    also: Site | None = None,
    see: Callable[[slice, Acts], None] | None = None,
) -> Readings:
    """Run the model over the windows and store what the units give.

    Args:
        model: in eval mode.
        units: one or more.
        windows: not longer than the model's context.
        windows_at_once: rows per batch (one for logits, which are wide).
        progress: called with the number of tokens read, under ``"observing"``.
        also: a further site to read.
        see: called with its value ``[batch, pos, width]`` and the numbers of these windows.

    Raises:
        ActmaxError: the windows are longer than the model's context, or an activation is not finite.
        KeyboardInterrupt: stopped before the first window was read.
    """
    if windows.length > model.context:
        raise ActmaxError(
            f"Windows of {windows.length} positions are longer than what {model.name} reads"
            f" ({model.context}); use --window {model.context} or less."
        )
    depths = residuals_of(model, [unit.site for unit in units])
    sites = frozenset([unit.site for unit in units]) | frozenset(depths)
    sites |= frozenset() if also is None else frozenset([also])
    shape = (windows.n_windows, windows.length)
    values, norms = _array((len(units), *shape)), _array((len(depths), *shape))
    at_once = 1 if any(site.name == LOGITS for site in sites) else windows_at_once
    done = 0
    try:
        for rows, batch in batches_of(windows, at_once, progress, "observing"):
            with torch.inference_mode():
                acts = read(model, sites, ids=batch.ids.to(model.device))
                for k, unit in enumerate(units):
                    values[k, rows] = along(unit, acts[unit.site]).float().cpu().numpy()
                for k, site in enumerate(depths):
                    norms[k, rows] = residual_norm(acts[site]).cpu().numpy()
                if also is not None and see is not None:
                    see(rows, acts[also])
            _check_finite(values[:, rows], batch.valid.numpy(), model)
            done = rows.stop
    except KeyboardInterrupt:
        if not done:
            raise
    return Readings(model, tuple(units), windows, done, values[:, :done], norms[:, :done], depths)


def batches_of(
    windows: Windows, at_once: int, progress: Progress, what: str, start: int = 0
) -> Iterator[tuple[slice, Batch]]:
    """The loop over a corpus: batches of windows in order, with progress once each has been worked on.

    Args:
        windows: all of them.
        at_once: windows of a batch.
        progress: called with the number of tokens read.
        what: the name of the work.
        start: windows that were read before.
    """
    read_before = Windows(windows.tokens, windows.length, windows.bos, windows.chosen[:start])
    tokens = read_before.n_tokens if start else 0
    progress(what, tokens, windows.n_tokens, unit="tokens")
    for first in range(start, windows.n_windows, at_once):
        batch = windows.batch(first, first + at_once)
        yield slice(first, first + len(batch.ids)), batch
        tokens += int((batch.where >= 0).sum())
        progress(what, tokens, windows.n_tokens, unit="tokens")


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
