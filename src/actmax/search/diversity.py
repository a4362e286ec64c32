"""Solutions that differ in content, so that several meanings of a unit show.

The distance of two sequences: for every token of one take the nearest token of the other by cosine of their
embeddings (the mean embedding taken off); one minus the mean of these cosines, averaged over both directions.
It is 0 for the same tokens in any order, about 1 for tokens that have nothing to do with each other, and
knows sequences of different lengths.

1. Take the best solution.
2. Go down the rest, best first; take each one that is at least ``apart`` from all that were taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from actmax.models.model import Model
from actmax.search.problem import Row

APART = 0.5
"""Least distance of two solutions that count as two."""


@runtime_checkable
class _Ranked(Protocol):
    @property
    def ids(self) -> Row:
        """Searched tokens."""

    @property
    def score(self) -> float:
        """Larger is better."""


Some = TypeVar("Some", bound=_Ranked)


def diverse(model: Model, found: Sequence[Some], n: int, *, apart: float = APART) -> list[Some]:
    """At most ``n`` of the solutions, best first, any two at least ``apart`` (fewer where not as many are).

    Args:
        model: gives the embeddings.
        found: solutions, for example an outcome's ``solutions`` or ``candidates``.
        n: how many are wanted.
        apart: least distance (0 to about 1).
    """
    chosen: list[Some] = []
    rows: list[Float[Tensor, "token d_model"]] = []
    mean = model.embedding.float().mean(dim=0)
    for one in sorted(found, key=lambda each: (-each.score, each.ids)):
        if len(chosen) == n:
            break
        row = functional.normalize(model.embedding[list(one.ids)].float() - mean, dim=1)
        if all(_distance(row, other) >= apart for other in rows):
            chosen.append(one)
            rows.append(row)
    return chosen


def distance(model: Model, one: Row, other: Row) -> float:
    """How far two sequences are apart in content."""
    mean = model.embedding.float().mean(dim=0)
    a, b = (functional.normalize(model.embedding[list(ids)].float() - mean, dim=1) for ids in (one, other))
    return _distance(a, b)


def _distance(one: Float[Tensor, "token d_model"], other: Float[Tensor, "other d_model"]) -> float:
    cosine = one @ other.T
    there, back = cosine.amax(dim=1).mean(), cosine.amax(dim=0).mean()
    return float(1 - torch.stack([there, back]).mean())
