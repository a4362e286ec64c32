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
    """The kept positions of one batch."""

    keep: Bool[Tensor, "batch pos"]
    where: Int[Tensor, "batch pos"]
    """Corpus position, unique and increasing within a window."""
    document: Int[Tensor, " batch"]

    @cached_property
    def windows(self) -> list[tuple[int, slice | Tensor]]:
        """Rows with a kept position, in corpus order, and the kept columns (a slice where adjacent)."""
        found: list[tuple[int, int, slice | Tensor]] = []
        for row, mask in enumerate(self.keep):
            columns = mask.nonzero()[:, 0]
            if not len(columns):
                continue
            first, last = int(columns[0]), int(columns[-1])
            together = last - first + 1 == len(columns)
            part = slice(first, last + 1) if together else columns
            found.append((int(self.where[row, first]), row, part))
        return [(row, part) for _, row, part in sorted(found, key=lambda item: item[0])]

    @cached_property
    def common(self) -> slice | None:
        """The slice that all rows share, where they are in corpus order; else None."""
        slices = {(part.start, part.stop) if isinstance(part, slice) else None for _, part in self.windows}
        alike = [row for row, _ in self.windows] == list(range(len(self.keep))) and len(slices) == 1
        both = slices.pop() if alike else None
        return None if both is None else slice(*both)

    @cached_property
    def count(self) -> int:
        """Kept positions."""
        return int(self.keep.sum())

    @cached_property
    def documents(self) -> list[tuple[int, int, int, int]]:
        """Runs of ``windows`` from one document: number, first corpus position, first window, end."""
        runs: list[tuple[int, int, int, int]] = []
        numbers = self.document.tolist()
        for k, (row, part) in enumerate(self.windows):
            if runs and runs[-1][0] == numbers[row]:
                runs[-1] = (*runs[-1][:3], k + 1)
            else:
                first = part.start if isinstance(part, slice) else int(part[0])
                runs.append((numbers[row], int(self.where[row, first]), k, k + 1))
        return runs

    @cached_property
    def rows(self) -> Int[Tensor, " windows"]:
        """The rows of ``windows``, as a tensor."""
        return torch.tensor([row for row, _ in self.windows], device=self.keep.device)

    @cached_property
    def _scattered(self) -> Int[Tensor, "batch pos"]:
        return mixed(self.where)

    @cached_property
    def _samples(self) -> dict[int, Int[Tensor, " n"]]:
        return {}

    def sample(self, every: int) -> Int[Tensor, " n"]:
        """One in ``every`` kept positions, by a hash of the corpus position; places in ``[batch * pos]``."""
        if every not in self._samples:
            chosen = self.keep & (self._scattered % every == 0)
            self._samples[every] = chosen.flatten().nonzero()[:, 0]
        return self._samples[every]


def mixed(where: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Corpus positions scattered over 0 to 2^31 - 1, as by a hash."""
    x = (where + 1) * _MIX_1
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * _MIX_2
    return (x >> 33) & 0x7FFFFFFF
