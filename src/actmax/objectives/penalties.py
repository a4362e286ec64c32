"""Terms that keep an input small, near the embeddings, or fluent. They enter an objective with a minus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from actmax.models.model import Model
from actmax.models.sites import EMBED, LOGITS, Site
from actmax.objectives.objective import Objective, PerPosition, Readable, Reading
from actmax.shapes import Acts, Ids, Scores

First: TypeAlias = Float[Tensor, "1 before width"]
"""The logits on a shared prefix."""


@dataclass(frozen=True)
class SquaredNorm:
    """``Σθ²`` over all positions and dimensions of the input embeddings."""

    @property
    def needs(self) -> frozenset[Site]:
        """The input itself."""
        return frozenset({Site(EMBED)})

    def values(self, reading: Reading) -> PerPosition:
        """The squared norm at each position, in squared units of the embeddings."""
        return reading.acts[Site(EMBED)].square().sum(dim=2)

    def readable(self, reading: Reading) -> None:
        """Every position counts."""

    def reduce(self, values: PerPosition, readable: Readable | None, *, anyway: bool = False) -> Scores:
        """The sum over positions."""
        return values.sum(dim=1)

    def __str__(self) -> str:
        return "Σθ²"


@dataclass(frozen=True)
class ShellDistance:
    """``mean_p (‖θ_p‖ - r)²``: how far each position is from the shell on which the embeddings lie."""

    radius: float

    @property
    def needs(self) -> frozenset[Site]:
        """The input itself."""
        return frozenset({Site(EMBED)})

    def values(self, reading: Reading) -> PerPosition:
        """The squared distance at each position, in squared units of the embeddings."""
        apart: PerPosition = (reading.acts[Site(EMBED)].norm(dim=2) - self.radius).square()
        return apart

    def readable(self, reading: Reading) -> None:
        """Every position counts."""

    def reduce(self, values: PerPosition, readable: Readable | None, *, anyway: bool = False) -> Scores:
        """The mean over positions."""
        return values.mean(dim=1)

    def __str__(self) -> str:
        return f"(‖θ‖ - {self.radius:.3g})²"


@dataclass(frozen=True)
class CrossEntropy:
    """Nats per token under the model itself (natural logarithm; lower is more fluent)."""

    @property
    def needs(self) -> frozenset[Site]:
        """The logits."""
        return frozenset({Site(LOGITS)})

    def values(self, reading: Reading) -> PerPosition:
        """``-log p`` of each token that has a predecessor; see :func:`token_nats`."""
        if reading.ids is None:
            raise ValueError("cross-entropy needs token ids")
        return token_nats(reading.acts[Site(LOGITS)], reading.ids, reading.before.get(Site(LOGITS)))

    def readable(self, reading: Reading) -> None:
        """Every token counts."""

    def reduce(self, values: PerPosition, readable: Readable | None, *, anyway: bool = False) -> Scores:
        """The mean over tokens; 0 where none has a predecessor."""
        return values.mean(dim=1) if values.shape[1] else values.sum(dim=1)

    def __str__(self) -> str:
        return "nats per token"


def nats_per_token(logits: Acts, ids: Ids, before: First | None = None) -> Scores:
    """Mean of ``-log p(token | what precedes it)``, in nats.

    Args:
        logits: ``[batch, pos, vocab]`` at the tokens' own positions.
        ids: ``[batch, pos]``.
        before: the logits on a shared prefix ``[1, prefix, vocab]``; with it the first token counts too,
            without it only the tokens that have a predecessor do. A lone token without one gives 0.
    """
    losses = token_nats(logits, ids, before)
    return losses.mean(dim=1) if losses.shape[1] else losses.sum(dim=1)


def token_nats(logits: Acts, ids: Ids, before: First | None = None) -> Float[Tensor, "batch predicted"]:
    """``-log p`` of each token that has a predecessor; arguments as for :func:`nats_per_token`."""
    predictions, targets = logits[:, :-1], ids[:, 1:]
    if before is not None:
        predictions = torch.cat([before[:, -1:].expand(ids.shape[0], -1, -1), predictions], dim=1)
        targets = ids
    return functional.cross_entropy(predictions.float().transpose(1, 2), targets, reduction="none")


def squared_norm() -> Objective:
    """The classic penalty ``Σθ²``."""
    return Objective(((1.0, SquaredNorm()),))


def shell_distance(model: Model) -> Objective:
    """The squared distance to the shell of mean norm of the model's embeddings."""
    return Objective(((1.0, ShellDistance(shell_radius(model))),))


def shell_radius(model: Model) -> float:
    """Mean Euclidean norm of the rows of the embedding matrix."""
    return float(model.embedding.float().norm(dim=1).mean())


def cross_entropy() -> Objective:
    """Nats per token under the model itself."""
    return Objective(((1.0, CrossEntropy()),))
