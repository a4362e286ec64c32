"""The strongest example of each document, for all units of a site at once: the best ``size`` documents.

1. Within a batch, the maxima of short pieces of the windows are given. A document's windows follow one
   another,
   so its best so far is held separately and compared: two passes over a row of units.
2. Only units whose maximum reaches both their document's best and the weakest document in the list look up
   *where* it is, in the one piece that holds it. After the first documents these are few.
3. When the document ends, its best goes into the sorted list.

A document has one place in a list, and places are ordered by activation, then corpus position. The first
``size`` of that order are the same however the corpus was split, and merging two lists gives the list of the
whole. (A second rule, such as one example per identical context, has no such guarantee and is applied at the
end: :mod:`actmax.atlas.tables`.)

Values are float32 and exact. The weakest examples are the strongest of the negated values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

import torch
from jaxtyping import Bool, Float32, Int32, Int64
from torch import Tensor

NEVER = 2**62
"""The corpus position of an empty place, which sorts last."""


@runtime_checkable
class Lookup(Protocol):
    """Access to pieces of some windows of one document."""

    def values(
        self, window: Int64[Tensor, " n"], piece: Int64[Tensor, " n"], unit: Int64[Tensor, " n"]
    ) -> Float32[Tensor, "n column"]:
        """The values of some units in one piece each, in corpus order; NaN where no position counts."""

    def where(
        self, window: Int64[Tensor, " n"], piece: Int64[Tensor, " n"], column: Int64[Tensor, " n"]
    ) -> Int64[Tensor, " n"]:
        """Corpus positions of columns of pieces."""


@dataclass
class Examples:
    """Sorted lists, strongest first. ``update`` and ``merge`` change the object."""

    value: Float32[Tensor, "unit size"]
    where: Int64[Tensor, "unit size"]
    document: Int32[Tensor, "unit size"]
    _current: int = field(default=-1)
    """The document whose best is held separately."""
    _best: Float32[Tensor, " unit"] | None = None
    _at: Int64[Tensor, " unit"] | None = None
    _bar: Float32[Tensor, " unit"] | None = None
    """The value that must be reached: the best held separately, or the weakest in the list."""

    @classmethod
    def empty(cls, width: int, size: int, device: torch.device | str = "cpu") -> Self:
        """The lists before the first document."""
        return cls(
            torch.full((width, size), -torch.inf, device=device),
            torch.full((width, size), NEVER, dtype=torch.int64, device=device),
            torch.full((width, size), -1, dtype=torch.int32, device=device),
        )

    def update(self, document: int, peaks: Float32[Tensor, "window piece unit"], lookup: Lookup) -> None:
        """Take in some windows of one document, which follow one another in the corpus.

        Args:
            document: its number.
            peaks: the maximum of each piece of each window.
            lookup: access to these pieces.
        """
        best, at, bar = self._pending(document)
        tall = peaks.amax(1)
        peak = tall.amax(0)
        units = (peak >= bar).nonzero()[:, 0]
        if not len(units):
            return
        bar[units] = value = peak[units]
        window = _first((tall.index_select(1, units) == value).t())
        piece = _first(peaks[window, :, units] == value[:, None])
        column = _first(lookup.values(window, piece, units) == value[:, None])
        place = lookup.where(window, piece, column)
        wins = _before(value, place, best[units], at[units])
        units = units[wins]
        best[units], at[units] = value[wins], place[wins]

    def settle(self) -> Self:
        """Move the document that is held separately into the lists."""
        if self._best is not None and self._at is not None and self._current >= 0:
            self._insert(self._best, self._at, torch.full_like(self.document[:, 0], self._current))
        self._current, self._best, self._at, self._bar = -1, None, None, None
        return self

    def merge(self, other: Self) -> Self:
        """Take in the lists of another one."""
        self.settle()
        other.settle()
        for k in range(other.value.shape[1]):
            self._insert(other.value[:, k], other.where[:, k], other.document[:, k])
        return self

    def _pending(self, document: int) -> tuple[Tensor, Tensor, Tensor]:
        if document != self._current or self._best is None or self._at is None or self._bar is None:
            self.settle()
            self._current = document
            self._best = torch.full_like(self.value[:, 0], -torch.inf)
            self._at = torch.full_like(self.where[:, 0], NEVER)
            self._bar = self.value[:, -1].clone()
        return self._best, self._at, self._bar

    def _insert(
        self, value: Float32[Tensor, " unit"], where: Int64[Tensor, " unit"], document: Int32[Tensor, " unit"]
    ) -> None:
        """Put one candidate per unit into its place, if it has one."""
        beats = _before(value, where, self.value[:, -1], self.where[:, -1])
        units = beats.nonzero()[:, 0]
        if not len(units):
            return
        everyone = len(units) == len(value)
        pick = slice(None) if everyone else units
        one = [tensor[pick, None] for tensor in (value, where, document)]
        values, places, documents = lists = [t[pick] for t in (self.value, self.where, self.document)]
        size = values.shape[1]
        ahead = ~_before(one[0], one[1], values, places)
        rank = ahead.sum(1, keepdim=True)
        same = documents == one[2]
        step = torch.arange(size, device=value.device)[None]
        if bool(same.any()):
            # A document that is already at a better place stays there: then nothing moves.
            held = torch.where(same.any(1), same.int().argmax(1), size)[:, None]
            source = torch.where((step > rank) & (step <= held), step - 1, step.expand(len(values), -1))
            source = torch.where((step == rank) & (rank <= held), size, source)
        else:
            source = (step - (step > rank).long()).masked_fill_(step == rank, size)
        for target, old, new in zip((self.value, self.where, self.document), lists, one, strict=True):
            target[pick] = torch.cat([old, new], 1).gather(1, source)


def _before(value: Tensor, where: Tensor | int, other: Tensor, place: Tensor) -> Bool[Tensor, "*shape"]:
    """Whether one example comes before another: larger, or as large and earlier in the corpus."""
    return (value > other) | ((value == other) & (where < place))


def _first(found: Bool[Tensor, "row column"]) -> Int64[Tensor, " row"]:
    """The first True of each row (rows have to lie side by side in memory: the other way is slow)."""
    return found.contiguous().view(torch.uint8).argmax(1)
