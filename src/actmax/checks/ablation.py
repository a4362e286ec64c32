"""Running a stretch of text again with a unit changed at one position.

The text before the position is run once (:func:`actmax.models.read.read_prefix`); every change is one row of
a batch that goes on from there for a few tokens, so a hundred changes cost little more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from actmax.models.model import Model
from actmax.models.read import read, read_prefix
from actmax.models.sites import LOGITS, Site, Unit
from actmax.shapes import Acts


@dataclass(frozen=True)
class Change:
    """Add so much to a unit."""

    unit: Unit
    amount: float


@dataclass(frozen=True)
class Effect:
    """What changes did, one row each."""

    kl: Float[Tensor, " change"]
    """``KL(p ‖ p')`` of the next-token distributions, nats, mean over the position and those after it."""
    loss: Float[Tensor, " change"]
    """Rise of the next-token loss, nats, mean over the positions whose next token is known."""
    gain: Float[Tensor, "change vocab"]
    """Change of the log-probability of every next token at the position itself."""


@torch.no_grad()
def effect_of(
    model: Model, before: Int[Tensor, " before"], after: Int[Tensor, " after"], changes: Sequence[Change]
) -> Effect:
    """Change units at the first token of ``after`` and compare with the model as it is.

    Args:
        model: the model.
        before: the text up to the position, with BOS; at least one token.
        after: the token at the position and those that follow.
        changes: all of one site.
    """
    site = changes[0].unit.site
    logits = Site(LOGITS)
    last = Site(f"blocks.{model.n_blocks - 1}.hook_resid_post", model.n_blocks - 1)  # all blocks, no logits
    prefix = read_prefix(model, [site, last] if site != logits else [last], before[None].to(model.device))
    ids = after.to(model.device).expand(1 + len(changes), -1)

    def edit(value: Acts) -> Acts:
        value = value.clone()
        for row, change in enumerate(changes, start=1):
            if change.unit.direction is None:
                value[row, 0, change.unit.index] += change.amount
            else:
                value[row, 0] += change.amount * change.unit.direction.to(value)
        return value

    out = read(model, [logits], ids=ids, prefix=prefix, edits={site: edit})[logits]
    said = torch.log_softmax(out.float(), dim=-1)
    base, rows = said[0], said[1:]
    kl = (base.double().exp() * (base.double() - rows.double())).sum(dim=-1).mean(dim=1)
    known = after[1:].to(model.device)
    steps = torch.arange(len(known), device=model.device)
    if len(known):
        loss = (base[steps, known] - rows[:, steps, known]).double().mean(dim=1)
    else:
        loss = torch.full((len(changes),), torch.nan, dtype=torch.float64, device=model.device)
    return Effect(kl.clamp_min(0).cpu(), loss.cpu(), (rows[:, 0] - base[0]).cpu())
