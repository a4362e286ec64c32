"""Relaxed tokens: a distribution over the vocabulary at each position, and the embeddings it gives."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from actmax.shapes import Embeds


def gumbel_noise(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Draws from the standard Gumbel distribution."""
    return -torch.empty(shape).exponential_(generator=rng).log()


def gumbel_mixture(
    theta: Float[Tensor, "pos allowed"],
    noise: Float[Tensor, "batch pos allowed"],
    temperature: float,
    rows: Float[Tensor, "allowed d_model"],
) -> Embeds:
    """Gumbel-softmax (Jang et al. 2017): ``softmax((θ + g) / T)`` weighs the embeddings."""
    return ((theta + noise) / temperature).softmax(dim=-1) @ rows
