"""What is remembered of a corpus for every unit of a site: one ``update`` a batch, and ``merge``.

``merge`` is associative and commutative with ties broken by corpus position, and windows are atoms, so any
split of the windows and any order gives the same bytes (:meth:`SiteSummary.state`). That is what makes
resuming and clusters simple: a summary of a part is a summary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from actmax.observe.examples import Columns, Examples
from actmax.observe.histogram import Histogram
from actmax.observe.kept import Kept
from actmax.observe.moments import Exact, Moments
from actmax.shapes import Acts

SPARE = 5
"""Places kept beyond those asked for, so that examples with identical contexts can be dropped at the end."""
EVERY = 16
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
        if not kept.windows:
            return self
        values = acts.float()
        buffers = buffers or Buffers()
        scratch = buffers.take("scratch", tuple(values.shape), values)
        shape = (len(kept.windows), values.shape[2])
        sums, squares, positive = (
            buffers.take(name, shape, values) for name in ("sum", "square", "positive")
        )
        _sum(values, kept, sums)
        _sum(torch.mul(values, values, out=scratch), kept, squares)
        _sum(torch.gt(values, 0, out=scratch), kept, positive)
        low, high = _extremes(values, kept, buffers)
        self.moments.update(kept.count, sums, squares, positive, low, high)
        self.histogram.update(values.flatten(0, 1)[kept.sample(self.every)])
        each = len(high) // len(kept.windows)
        torch.neg(low, out=low)
        for document, begin, first, last in kept.documents:
            pieces = slice(first * each, last * each)
            for examples, peaks, sign in ((self.top, high, 1), (self.bottom, low, -1)):
                look = _columns(values, kept, first, each, sign)
                examples.update(document, begin, peaks[pieces], look)
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


def _sum(values: Float32[Tensor, "batch pos unit"], kept: Kept, out: Float32[Tensor, "window unit"]) -> None:
    """Each window's sum over its kept positions."""
    if kept.common is not None:
        torch.sum(values[:, kept.common], 1, out=out)
        return
    for k, (row, part) in enumerate(kept.windows):
        torch.sum(values[row, part], 0, out=out[k])


def _extremes(
    values: Float32[Tensor, "batch pos unit"], kept: Kept, buffers: Buffers
) -> tuple[Float32[Tensor, "piece unit"], Float32[Tensor, "piece unit"]]:
    """Minima and maxima of pieces of ``PIECE`` positions, or of windows that keep different ones."""
    part = kept.common
    each = 1 if part is None else -(-(part.stop - part.start) // PIECE)
    shape = (len(kept.windows), each, values.shape[2])
    found = buffers.take("low", shape, values), buffers.take("high", shape, values)
    for out, reduce in zip(found, (torch.amin, torch.amax), strict=True):
        if part is None:
            for k, (row, columns) in enumerate(kept.windows):
                reduce(values[row, columns], 0, out=out[k, 0])
            continue
        whole = (part.stop - part.start) // PIECE
        end = part.start + whole * PIECE
        if whole:
            reduce(values[:, part.start : end].unflatten(1, (whole, PIECE)), 2, out=out[:, :whole])
        if end < part.stop:
            reduce(values[:, end : part.stop], 1, out=out[:, -1])
    return found[0].flatten(0, 1), found[1].flatten(0, 1)


def _columns(
    values: Float[Tensor, "batch pos unit"], kept: Kept, first: int, each: int, sign: int
) -> Columns:
    """How to look into the pieces of a document whose windows begin at ``first``."""
    part = kept.common

    def look(piece: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        if part is None:
            row = kept.rows[first + piece]
            found = values[row, :, unit] * sign
            return found.masked_fill(~kept.keep[row], -torch.inf), kept.where[row]
        row = (first + piece // each)[:, None]
        column = (piece % each * PIECE + part.start)[:, None] + torch.arange(PIECE, device=piece.device)
        column = column.clamp_(max=part.stop - 1)
        return values[row, column, unit[:, None]] * sign, kept.where[row, column]

    return look
