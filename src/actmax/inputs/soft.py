"""A space of soft inputs: free vectors in place of token embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from actmax.errors import ActmaxError
from actmax.inputs.frame import Frame
from actmax.models.model import Model
from actmax.models.text import text_ids
from actmax.rng import stream
from actmax.shapes import Embeds

TEXT_NOISE = 0.1
"""The noise of restarts after the first that start from a text, as a fraction of the embeddings'
deviation."""


@dataclass(frozen=True)
class VectorSpace:
    """The start of a search over vectors, and what it records beside the unit."""

    model: Model
    start: Embeds
    """``[restart, pos, d_model]``: where each restart begins."""
    frame: Frame = field(default_factory=Frame)
    neighbors: tuple[int, ...] = ()
    """Indices of the unit's site that are recorded beside it."""

    @property
    def length(self) -> int:
        """The number of searched positions."""
        return int(self.start.shape[1])


def random_start(model: Model, length: int, restarts: range, seed: int) -> Embeds:
    """The classic start: every entry from N(0, s), s the standard deviation of the embedding matrix.

    Args:
        model: determines s and the width.
        length: positions.
        restarts: which restarts; each has its own stream, so any subset gives the same vectors.
        seed: of the run.

    Returns:
        ``[restart, pos, d_model]``
    """
    std = float(model.embedding.float().std())
    rows = [torch.randn(length, model.d_model, generator=stream(seed, k)) for k in restarts]
    return (torch.stack(rows) * std).to(model.device, model.dtype)


def text_start(model: Model, text: str, restarts: range, seed: int) -> Embeds:
    """The embeddings of a text; restarts after the first are disturbed a little, because all would be equal
    otherwise.

    Raises:
        ActmaxError: the text has no tokens, or one without an embedding.
    """
    ids = text_ids(model, text)
    if not ids:
        raise ActmaxError("The text to start from has no tokens; give some, or leave --init-text out.")
    rows = model.embedding[torch.tensor(list(ids), device=model.device)]
    noise = random_start(model, len(ids), restarts, seed) * TEXT_NOISE
    first = torch.tensor([k == 0 for k in restarts], device=model.device)
    start: Embeds = rows + torch.where(first[:, None, None], torch.zeros_like(noise), noise)
    return start


def to_shell(embeds: Embeds, radius: float) -> Embeds:
    """Each position rescaled to the given Euclidean norm."""
    rescaled: Embeds = embeds * (radius / embeds.norm(dim=-1, keepdim=True).clamp_min(1e-12))
    return rescaled


def tangent(gradient: Embeds, embeds: Embeds) -> Embeds:
    """The part of a gradient that stays on the shell.

    Adam divides each entry by its own size. A gradient that points out of the shell all the time would lead
    it to where the *signs* of the entries point, which is not the optimum; the part on the shell is zero at
    the optimum.
    """
    out = embeds / embeds.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    tangential: Embeds = gradient - (gradient * out).sum(dim=-1, keepdim=True) * out
    return tangential
