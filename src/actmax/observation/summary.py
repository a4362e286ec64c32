"""A summary of a corpus for every unit of a site: one ``update`` per batch, and ``merge``.

``merge`` is associative and commutative with ties broken by corpus position, and windows are atoms, so any
split of the windows and any order gives the same bytes (:meth:`SiteSummary.state`). That is what makes
resuming and clusters simple: a summary of a part is a summary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from actmax.observation.examples import Examples
from actmax.observation.histogram import Histogram
from actmax.observation.kept import Kept
from actmax.observation.moments import Exact, Moments
from actmax.shapes import Acts

SPARE = 5
"""Places beyond those asked for, so that examples with identical contexts can be dropped at the end."""
EVERY = 32
"""A histogram counts one position in this many."""
PIECE = 16
"""Positions whose maximum is taken together."""


class Buffers:
    """Scratch memory that is asked for again and again: the system gives pages once."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, tuple[int, ...], torch.device], Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Float32[Tensor, "..."]:
        """An uninitialised float32 tensor, the same one for the same name and shape."""
        key = (name, shape, like.device)
        if key not in self._held:
            self._held[key] = torch.empty(shape, dtype=torch.float32, device=like.device)
        return self._held[key]


@dataclass
class SiteSummary:
    """Statistics and strongest examples of both signs. ``update`` and ``merge`` change the object."""

    moments: Moments
    histogram: Histogram
    ends: Examples
    """Examples of the values of all units, followed by those of the negated values of all units."""
    every: int = EVERY

    @classmethod
    def empty(
        cls, width: int, top: int = 20, *, every: int = EVERY, device: torch.device | str = "cpu"
    ) -> Self:
        """The summary before the first window; it will hold ``top + SPARE`` documents at either end."""
        return cls(
            Moments.empty(width, device),
            Histogram.empty(width, device),
            Examples.empty(2 * width, top + SPARE, device),
            every,
        )

    def update(self, acts: Acts, kept: Kept, buffers: Buffers | None = None) -> Self:
        """Take in the positions that count of a batch of whole windows.

        Raises:
            ActmaxError: an activation is not finite.
        """
        if not len(kept.mask):
            return self
        values = kept.windows(acts.float()).contiguous()
        buffers = buffers or Buffers()
        with _only_kept(values, kept.left_out) as leave_out:
            leave_out(0)
            sums = _sums(values, buffers)
            self.histogram.update(values.flatten(0, 1)[kept.sample(self.every)])
            peaks, high, low = _peaks(values, leave_out, buffers)
            leave_out(torch.nan)
            for document, first, last in kept.documents:
                self.ends.update(document, peaks[first:last], _Pieces(values, kept, first))
        self.moments.update(kept.count, *sums, low.amin(1), high.amax(1))
        return self

    @property
    def top(self) -> Examples:
        """The strongest examples of each unit."""
        return self._end(slice(None, self.moments.min.shape[0]))

    @property
    def bottom(self) -> Examples:
        """The weakest examples of each unit; their values are negated."""
        return self._end(slice(self.moments.min.shape[0], None))

    def _end(self, units: slice) -> Examples:
        ends = self.ends.settle()
        return Examples(ends.value[units], ends.where[units], ends.document[units])

    def merge(self, other: Self) -> Self:
        """Take in the summary of other windows."""
        self.moments.merge(other.moments)
        self.histogram.merge(other.histogram)
        self.ends.merge(other.ends)
        return self

    def state(self) -> dict[str, Tensor]:
        """Everything as tensors, in one canonical form (documents that are held separately are settled)."""
        moments = self.moments
        state = {
            "count": torch.tensor(moments.count),
            "sum": torch.stack([moments.sum.whole, moments.sum.part]),
            "squares": torch.stack([moments.squares.whole, moments.squares.part]),
            "positive": moments.positive,
            "range": torch.stack([moments.min, moments.max]),
            "histogram": self.histogram.counts,
        }
        ends = self.ends.settle()
        return state | {"value": ends.value, "where": ends.where, "document": ends.document}

    @classmethod
    def of_state(cls, state: Mapping[str, Tensor], every: int = EVERY) -> Self:
        """The summary with this state (its tensors are used, not copied)."""
        return cls(
            Moments(
                int(state["count"]),
                Exact(*state["sum"].clone().unbind()),
                Exact(*state["squares"].clone().unbind()),
                state["positive"],
                state["range"][0].clone(),
                state["range"][1].clone(),
            ),
            Histogram(state["histogram"]),
            Examples(state["value"], state["where"], state["document"]),
            every,
        )


@contextmanager
def _only_kept(
    values: Float32[Tensor, "window pos unit"], left_out: Int64[Tensor, " n"]
) -> Iterator[Callable[[float], object]]:
    """Set the positions that are left out to a number that changes no result, and restore them afterwards."""
    flat = values.flatten(0, 1)
    saved = flat[left_out]
    try:
        yield lambda number: flat.index_fill_(0, left_out, number)
    finally:
        flat.index_copy_(0, left_out, saved)


def _sums(
    values: Float32[Tensor, "window pos unit"], buffers: Buffers
) -> tuple[Float32[Tensor, "window unit"], Float32[Tensor, "window unit"], Float32[Tensor, "window unit"]]:
    """Each window's sum, sum of squares and number of positions above zero."""
    scratch = buffers.take("scratch", tuple(values.shape), values)
    sums = values.sum(1)
    squares = torch.mul(values, values, out=scratch).sum(1)
    return sums, squares, torch.gt(values, 0, out=scratch).sum(1)


def _peaks(
    values: Float32[Tensor, "window pos unit"], leave_out: Callable[[float], object], buffers: Buffers
) -> tuple[
    Float32[Tensor, "window piece two_units"],
    Float32[Tensor, "window piece unit"],
    Float32[Tensor, "window piece unit"],
]:
    """Maxima of pieces of ``PIECE`` positions of the values and of the negated ones; maxima and minima."""
    n, positions, width = values.shape
    pieces = -(-positions // PIECE)
    peaks = buffers.take("peaks", (n, pieces, 2 * width), values)
    low = buffers.take("low", (n, pieces, width), values)
    high = peaks[..., :width]
    for out, reduce, nothing in ((high, torch.amax, -torch.inf), (low, torch.amin, torch.inf)):
        leave_out(nothing)
        whole = positions // PIECE
        if whole:
            pieced = values[:, : whole * PIECE].unflatten(1, (whole, PIECE))
            reduce(pieced, 2, out=out[:, :whole])
        if whole < pieces:
            reduce(values[:, whole * PIECE :], 1, out=out[:, whole])
    torch.neg(low, out=peaks[..., width:])
    return peaks, high, low


@dataclass(frozen=True)
class _Pieces:
    """The pieces of a document whose windows begin at ``first``; units as in :attr:`SiteSummary.ends`."""

    acts: Float32[Tensor, "window pos unit"]
    """NaN where no position counts."""
    kept: Kept
    first: int

    def values(self, window: Tensor, piece: Tensor, unit: Tensor) -> Tensor:
        """What the units are, in one piece each; NaN where no position counts."""
        positions, width = self.acts.shape[1:]
        column = torch.arange(PIECE, device=window.device) + (piece * PIECE)[:, None]
        column.clamp_(max=positions - 1)
        negated = (unit >= width)[:, None]
        flat = (
            column.add_((window + self.first)[:, None] * positions).mul_(width).add_((unit % width)[:, None])
        )
        return self.acts.view(-1)[flat].mul_(1 - 2 * negated.float())

    def where(self, window: Tensor, piece: Tensor, column: Tensor) -> Tensor:
        """Corpus positions of columns of pieces."""
        return self.kept.place[window + self.first, column + piece * PIECE]
