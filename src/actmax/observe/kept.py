"""Which positions of a batch of windows count, cut so that a window is always summed in the same way.

The window is the atom of every statistic: sums are taken within one window, over its kept positions in their
order, and windows are only ever combined exactly (:mod:`actmax.observe.moments`). How windows are grouped
into batches and shards therefore changes no bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

_MIX_1, _MIX_2 = 0x9E3779B97F4A7C15 - (1 << 64), 0xBF58476D1CE4E5B9 - (1 << 64)


@dataclass(frozen=True)
class Kept:
    """The kept positions of one batch. Windows with none are left out, the others put in corpus order."""

    keep: Bool[Tensor, "batch pos"]
    where: Int[Tensor, "batch pos"]
    """Corpus position, unique and increasing within a window."""
    document: Int[Tensor, " batch"]

    @cached_property
    def rows(self) -> Int[Tensor, " window"] | None:
        """The batch's rows that are windows here; None where they are all, in their order."""
        first = torch.where(self.keep, self.where, torch.iinfo(torch.int64).max).amin(1)
        some = self.keep.any(1).nonzero()[:, 0]
        order = some[first[some].argsort(stable=True)]
        return None if order.tolist() == list(range(len(self.keep))) else order

    def windows(self, tensor: Tensor) -> Tensor:
        """The rows of something ``[batch, ...]`` that are windows here, in their order."""
        return tensor if self.rows is None else tensor[self.rows]

    @cached_property
    def mask(self) -> Bool[Tensor, "window pos"]:
        """Which positions of each window are kept."""
        return self.windows(self.keep)

    @cached_property
    def place(self) -> Int[Tensor, "window pos"]:
        """The corpus position of each."""
        return self.windows(self.where)

    @cached_property
    def hull(self) -> slice:
        """The smallest slice that holds every kept position of every window."""
        columns = self.mask.any(0).nonzero()[:, 0]
        return slice(int(columns[0]), int(columns[-1]) + 1) if len(columns) else slice(0, 0)

    @cached_property
    def odd(self) -> list[tuple[int, slice | Tensor]]:
        """Windows that do not keep all of the hull: which, and what they keep (a slice where adjacent)."""
        found: list[tuple[int, slice | Tensor]] = []
        for k in (~self.mask[:, self.hull].all(1)).nonzero()[:, 0].tolist():
            columns = self.mask[k].nonzero()[:, 0]
            first, last = int(columns[0]), int(columns[-1])
            together = last - first + 1 == len(columns)
            found.append((k, slice(first, last + 1) if together else columns))
        return found

    @cached_property
    def count(self) -> int:
        """Kept positions."""
        return int(self.keep.sum())

    @cached_property
    def documents(self) -> list[tuple[int, int, int, int]]:
        """Runs of windows from one document: number, first corpus position, first window, end."""
        first = torch.where(self.mask, self.place, torch.iinfo(torch.int64).max).amin(1).tolist()
        runs: list[tuple[int, int, int, int]] = []
        for k, number in enumerate(self.windows(self.document).tolist()):
            if runs and runs[-1][0] == number:
                runs[-1] = (*runs[-1][:3], k + 1)
            else:
                runs.append((number, first[k], k, k + 1))
        return runs

    @cached_property
    def _samples(self) -> dict[int, Int[Tensor, " n"]]:
        return {}

    def sample(self, every: int) -> Int[Tensor, " n"]:
        """One in ``every`` kept positions, by a hash of the corpus position; places in ``[window * pos]``."""
        if every not in self._samples:
            chosen = self.mask & (mixed(self.place) % every == 0)
            self._samples[every] = chosen.flatten().nonzero()[:, 0]
        return self._samples[every]


def mixed(where: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Corpus positions scattered over 0 to 2^31 - 1, as by a hash."""
    x = (where + 1) * _MIX_1
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * _MIX_2
    return (x >> 33) & 0x7FFFFFFF
