"""The tokens nearest to optimised vectors: the classic way to read a soft input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from actmax.errors import ActmaxError, one_of
from actmax.models.model import Model
from actmax.search.settings import Metric as Metric
from actmax.shapes import Embeds


def check_metric(word: str) -> None:
    """Refuse a word that names no metric.

    Raises:
        ActmaxError: it does not; the sentence lists those that do.
    """
    if word not in get_args(Metric):
        raise ActmaxError(f"Unknown metric {word!r}; choose {one_of(get_args(Metric))}.")


@dataclass(frozen=True)
class Nearest:
    """The k nearest tokens of each position, the nearest first."""

    ids: Int[Tensor, "batch pos k"]
    similarity: Float[Tensor, "batch pos k"]
    """Cosine similarity, minus the Euclidean distance, or the dot product: larger is nearer."""
    metric: Metric


@torch.no_grad()
def nearest_tokens(model: Model, embeds: Embeds, k: int = 5, metric: Metric = "cosine") -> Nearest:
    """Compare each vector with every row of the embedding matrix.

    Args:
        model: whose embedding matrix is searched, all of it.
        embeds: ``[batch, pos, d_model]``.
        k: how many to name.
        metric: what near means.

    Raises:
        ActmaxError: an unknown metric.
    """
    batch, pos = embeds.shape[:2]
    rows = [similarity_to_tokens(model, row, metric).topk(k, dim=-1) for row in embeds]
    values = torch.stack([row.values for row in rows]).reshape(batch, pos, k)
    return Nearest(torch.stack([row.indices for row in rows]).reshape(batch, pos, k), values, metric)


@torch.no_grad()
def similarity_to_tokens(
    model: Model, vectors: Float[Tensor, "pos d_model"], metric: Metric = "cosine"
) -> Float[Tensor, "pos vocab"]:
    """The similarity of some vectors to every token, in float32."""
    check_metric(metric)
    rows, vectors = model.embedding.float(), vectors.float()
    dot = vectors @ rows.T
    if metric == "dot":
        return dot
    if metric == "l2":
        return -torch.cdist(vectors, rows)
    norms = vectors.norm(dim=-1)[:, None] * rows.norm(dim=-1)
    cosine: Tensor = dot / norms.clamp_min(1e-12)
    return cosine
