"""What is remembered of a corpus for every unit of a site: one ``update`` a batch, and ``merge``.

``merge`` is associative and commutative with ties broken by corpus position, and windows are atoms, so any
split of the windows and any order gives the same bytes (:meth:`SiteSummary.state`). That is what makes
resuming and clusters simple: a summary of a part is a summary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import torch
from jaxtyping import Float32
from torch import Tensor

from actmax.observe.examples import Examples
from actmax.observe.histogram import Histogram
from actmax.observe.kept import Kept
from actmax.observe.moments import Exact, Moments
from actmax.shapes import Acts

SPARE = 5
"""Places kept beyond those asked for, so that examples with identical contexts can be dropped at the end."""
EVERY = 32
"""A histogram counts one position in this many."""
PIECE = 16
"""Positions whose maximum is taken together."""


@runtime_checkable
class Summary(Protocol):
    """Anything that a corpus can be folded into."""

    def update(self, acts: Acts, kept: Kept) -> Self:
        """Take in the kept positions of a batch of whole windows."""

    def merge(self, other: Self) -> Self:
        """Take in what another saw of other windows."""


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
    top: Examples
    bottom: Examples
    """Of the negated values."""
    every: int = EVERY

    @classmethod
    def empty(
        cls, width: int, top: int = 20, *, every: int = EVERY, device: torch.device | str = "cpu"
    ) -> Self:
        """Before the first window; it will keep ``top + SPARE`` documents at either end."""
        return cls(
            Moments.empty(width, device),
            Histogram.empty(width, device),
            Examples.empty(width, top + SPARE, device),
            Examples.empty(width, top + SPARE, device),
            every,
        )

    def update(self, acts: Acts, kept: Kept, buffers: Buffers | None = None) -> Self:
        """Take in the kept positions of a batch of whole windows.

        Raises:
            ActmaxError: an activation is not finite.
        """
        if not len(kept.mask):
            return self
        values = kept.windows(acts.float()).contiguous()
        buffers = buffers or Buffers()
        scratch = buffers.take("scratch", tuple(values.shape), values)
        shape = (len(values), values.shape[2])
        sums, squares, positive = (
            buffers.take(name, shape, values) for name in ("sum", "square", "positive")
        )
        _sum(values, kept, sums)
        _sum(torch.mul(values, values, out=scratch), kept, squares)
        _sum(torch.gt(values, 0, out=scratch), kept, positive)
        low, high = _extremes(values, kept, buffers)
        self.moments.update(kept.count, sums, squares, positive, low.amin(1), high.amax(1))
        self.histogram.update(values.flatten(0, 1)[kept.sample(self.every)])
        torch.neg(low, out=low)
        for document, begin, first, last in kept.documents:
            for examples, peaks, sign in ((self.top, high, 1), (self.bottom, low, -1)):
                examples.update(document, begin, peaks[first:last], _Pieces(values, kept, first, sign))
        return self

    def merge(self, other: Self) -> Self:
        """Take in what another saw of other windows."""
        self.moments.merge(other.moments)
        self.histogram.merge(other.histogram)
        self.top.merge(other.top)
        self.bottom.merge(other.bottom)
        return self

    def state(self) -> dict[str, Tensor]:
        """Everything as tensors, in one canonical form (documents that are held apart are settled)."""
        moments = self.moments
        state = {
            "count": torch.tensor(moments.count),
            "sum": torch.stack([moments.sum.whole, moments.sum.part]),
            "squares": torch.stack([moments.squares.whole, moments.squares.part]),
            "positive": moments.positive,
            "range": torch.stack([moments.min, moments.max]),
            "histogram": self.histogram.counts,
        }
        for end, examples in (("top", self.top.settle()), ("bottom", self.bottom.settle())):
            state |= {
                f"{end}.value": examples.value,
                f"{end}.where": examples.where,
                f"{end}.document": examples.document,
            }
        return state

    @classmethod
    def of_state(cls, state: Mapping[str, Tensor], every: int = EVERY) -> Self:
        """The summary that gave this state (its tensors are taken over, not copied)."""
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
            _examples_of(state, "top"),
            _examples_of(state, "bottom"),
            every,
        )


def _examples_of(state: Mapping[str, Tensor], end: str) -> Examples:
    return Examples(state[f"{end}.value"], state[f"{end}.where"], state[f"{end}.document"])


def _sum(values: Float32[Tensor, "window pos unit"], kept: Kept, out: Float32[Tensor, "window unit"]) -> None:
    """Each window's sum over its kept positions."""
    torch.sum(values[:, kept.hull], 1, out=out)
    for k, part in kept.odd:
        torch.sum(values[k, part], 0, out=out[k])


def _extremes(
    values: Float32[Tensor, "window pos unit"], kept: Kept, buffers: Buffers
) -> tuple[Float32[Tensor, "window piece unit"], Float32[Tensor, "window piece unit"]]:
    """Minima and maxima of pieces of ``PIECE`` positions of the hull; infinite where nothing is kept."""
    inside = values[:, kept.hull]
    pieces = -(-inside.shape[1] // PIECE)
    shape = (len(values), pieces, values.shape[2])
    low, high = buffers.take("low", shape, values), buffers.take("high", shape, values)
    for out, reduce, nothing in ((low, torch.amin, torch.inf), (high, torch.amax, -torch.inf)):
        _by_piece(inside, reduce, out)
        for k, _ in kept.odd:
            window = inside[k].masked_fill(~kept.mask[k, kept.hull, None], nothing)
            _by_piece(window[None], reduce, out[k : k + 1])
    return low, high


def _by_piece(
    values: Float32[Tensor, "window pos unit"],
    reduce: Callable[..., Tensor],
    out: Float32[Tensor, "window piece unit"],
) -> None:
    whole = values.shape[1] // PIECE
    if whole:
        reduce(values[:, : whole * PIECE].unflatten(1, (whole, PIECE)), 2, out=out[:, :whole])
    if whole < out.shape[1]:
        reduce(values[:, whole * PIECE :], 1, out=out[:, whole])


@dataclass(frozen=True)
class _Pieces:
    """The pieces of a document whose windows begin at ``first``, of the values or of the negated ones."""

    acts: Float32[Tensor, "window pos unit"]
    kept: Kept
    first: int
    sign: int

    def values(self, window: Tensor, piece: Tensor, unit: Tensor) -> Tensor:
        """What the units are, in one piece each; -inf where nothing is kept."""
        row, hull = (window + self.first)[:, None], self.kept.hull
        column = torch.arange(PIECE, device=row.device) + (piece * PIECE + hull.start)[:, None]
        column.clamp_(max=hull.stop - 1)
        flat = (column + row * self.acts.shape[1]).mul_(self.acts.shape[2]).add_(unit[:, None])
        found = self.acts.view(-1)[flat].mul_(self.sign)
        return found.masked_fill_(~self.kept.mask[row, column], -torch.inf) if self.kept.odd else found

    def where(self, window: Tensor, piece: Tensor, column: Tensor) -> Tensor:
        """Corpus positions of columns of pieces."""
        return self.kept.place[window + self.first, column + piece * PIECE + self.kept.hull.start]
