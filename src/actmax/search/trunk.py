"""Rows that were run once: what they gave, and their keys and values, to be continued from any position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from actmax.models.model import Model
from actmax.models.read import Prefix
from actmax.objectives.objective import PerPosition, Readable
from actmax.shapes import Ids


@dataclass(frozen=True)
class Seen:
    """What rows gave, position by position (on the searched tokens, then the suffix)."""

    values: tuple[PerPosition, ...]
    """Of each term of the problem."""
    readable: tuple[Readable | None, ...]
    """Where each term may be read; None for everywhere."""
    nats: Float[Tensor, "batch token"] | None
    """``-log p`` of each searched token; 0 for a first one that nothing precedes. Only when run deep."""


class Trunk:
    """Rows run once, to be continued from any position."""

    def __init__(
        self,
        rows: Ids,
        deep: bool,
        parent: Trunk | None = None,
        of: Int[Tensor, " batch"] | None = None,
        *,
        paid: bool = False,
    ) -> None:
        """Rows that continue ``parent[of]``, or the frame's prefix; filled when they are first needed.

        Args:
            rows: ``[batch, token]``.
            deep: run to the logits.
            parent: a trunk whose rows these continue.
            of: which of its rows each one continues.
            paid: counted before, in the process that wrote the journal.
        """
        self.rows, self.deep, self.parent, self.of, self.paid = rows, deep, parent, of, paid
        self.filled = False
        self.prefix: Prefix | None = None
        self.seen: Seen | None = None
        self.logits: Float[Tensor, "batch pos vocab"] | None = None


@dataclass(frozen=True)
class Keeping(Prefix):
    """A beginning that remembers the caches of what continued it."""

    made: list[DynamicCache] = field(default_factory=list)

    def cache(self, model: Model, batch: int) -> DynamicCache:
        """A fresh cache, which is remembered."""
        self.made.append(super().cache(model, batch))
        return self.made[-1]


def common(rows: Ids, parents: Int[Tensor, "batch other"]) -> Int[Tensor, " batch"]:
    """How many first tokens each row shares with another; the last of its own always goes through again."""
    n = min(rows.shape[1], parents.shape[1])
    equal: Tensor = (rows[:, :n] == parents[:, :n]).long().cumprod(dim=1).sum(dim=1)
    return equal.clamp_max(rows.shape[1] - 1)


def continued(seen: Seen, of: Tensor, start: int, more: Seen) -> Seen:
    """The first ``start`` positions of rows ``of`` of what was seen, and what follows them."""

    def whole(one: Tensor | None, other: Tensor | None) -> Tensor | None:
        return other if one is None or other is None else torch.cat([one[of][:, :start], other], dim=1)

    pairs = zip(seen.values, more.values, strict=True)
    values = tuple(torch.cat([a[of][:, :start], b], dim=1) for a, b in pairs)
    readable = tuple(whole(a, b) for a, b in zip(seen.readable, more.readable, strict=True))
    return Seen(values, readable, whole(seen.nats, more.nats))


def gathered(pieces: list[tuple[Tensor, Seen]], rows: int) -> Seen:
    """Groups put back into the order of the rows."""
    order = torch.cat([at for at, _ in pieces]).argsort()
    seen = [piece for _, piece in pieces]
    deep = [piece.nats for piece in seen if piece.nats is not None]
    assert len(order) == rows  # noqa: S101
    values = zip(*(piece.values for piece in seen), strict=True)
    readable = zip(*(piece.readable for piece in seen), strict=True)
    return Seen(
        tuple(torch.cat(parts)[order] for parts in values),
        tuple(_all(parts, order) for parts in readable),
        torch.cat(deep)[order] if len(deep) == len(seen) else None,
    )


def _all(masks: Sequence[Tensor | None], order: Tensor) -> Tensor | None:
    """The masks of some pieces in the order of the rows; None where a term has none."""
    known = [mask for mask in masks if mask is not None]
    return torch.cat(known)[order] if len(known) == len(masks) else None


def joined(parts: list[Prefix]) -> Prefix:
    """The keys and values of several batches as those of one."""
    pairs = zip(*(part.keys_values for part in parts), strict=True)
    whole = tuple((torch.cat([k for k, _ in pair]), torch.cat([v for _, v in pair])) for pair in pairs)
    return replace(parts[0], keys_values=whole)
