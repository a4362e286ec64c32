"""Which positions of a batch of windows count.

The window is the atom of every statistic: sums are taken within one window, over all its positions in their
order (those that do not count as zeros), and windows are only ever combined exactly
(:mod:`actmax.observation.moments`). How windows are grouped into batches and shards therefore changes no bit.
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
    """The positions of one batch that count. Windows without any are left out, the rest put in corpus
    order."""

    keep: Bool[Tensor, "batch pos"]
    where: Int[Tensor, "batch pos"]
    """Corpus position, unique and increasing within a window."""
    document: Int[Tensor, " batch"]

    @cached_property
    def rows(self) -> Int[Tensor, " window"] | None:
        """The rows of the batch that are windows here; None where all are, in their order."""
        first = torch.where(self.keep, self.where, torch.iinfo(torch.int64).max).amin(1)
        some = self.keep.any(1).nonzero()[:, 0]
        order = some[first[some].argsort(stable=True)]
        return None if order.tolist() == list(range(len(self.keep))) else order

    def windows(self, tensor: Tensor) -> Tensor:
        """The rows of something ``[batch, ...]`` that are windows here, in their order."""
        return tensor if self.rows is None else tensor[self.rows]

    @cached_property
    def mask(self) -> Bool[Tensor, "window pos"]:
        """Which positions of each window count."""
        return self.windows(self.keep)

    @cached_property
    def place(self) -> Int[Tensor, "window pos"]:
        """The corpus position of each position that counts."""
        return self.windows(self.where)

    @cached_property
    def left_out(self) -> Int[Tensor, " n"]:
        """The positions of the windows that do not count; places in ``[window * pos]``."""
        return (~self.mask).flatten().nonzero()[:, 0]

    @cached_property
    def count(self) -> int:
        """The number of positions that count."""
        return int(self.keep.sum())

    @cached_property
    def documents(self) -> list[tuple[int, int, int]]:
        """Runs of windows from one document: its number, first window, end."""
        runs: list[tuple[int, int, int]] = []
        for k, number in enumerate(self.windows(self.document).tolist()):
            if runs and runs[-1][0] == number:
                runs[-1] = (*runs[-1][:2], k + 1)
            else:
                runs.append((number, k, k + 1))
        return runs

    @cached_property
    def _samples(self) -> dict[int, Int[Tensor, " n"]]:
        return {}

    def sample(self, every: int) -> Int[Tensor, " n"]:
        """One in ``every`` positions that count, by a hash of the corpus position; places in ``[window *
        pos]``."""
        if every not in self._samples:
            chosen = self.mask & (mixed(self.place) % every == 0)
            self._samples[every] = chosen.flatten().nonzero()[:, 0]
        return self._samples[every]


def mixed(where: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Corpus positions scattered over 0 to 2^31 - 1, as by a hash."""
    x = (where + 1) * _MIX_1
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * _MIX_2
    return (x >> 33) & 0x7FFFFFFF
