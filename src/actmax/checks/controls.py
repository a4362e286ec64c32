"""What a number is compared with: random units of the same site, and random tokens."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.models.model import Model
from actmax.models.sites import Unit, width
from actmax.rng import stream

_UNITS = 2**30 + 5
"""The random stream that units are drawn from."""


def other_units(model: Model, unit: Unit, n: int, seed: int) -> tuple[Unit, ...]:
    """Units of the same site drawn at random, without the unit itself and without repeats.

    For a direction they are random directions. They are drawn by the seed and not by the unit, so that two
    units of a site are compared with (nearly) the same units; there are fewer than ``n`` where the site is
    that narrow.
    """
    generator = stream(seed, _UNITS)
    size = width(model, unit.site)
    if unit.index is None:
        rows: Tensor = torch.randn(n, size, generator=generator)
        rows = rows / rows.norm(dim=1, keepdim=True)
        return tuple(
            Unit(unit.site, None, f"{unit.site.name}:random direction {k}", row.to(model.device))
            for k, row in enumerate(rows)
        )
    order = torch.randperm(size, generator=generator).tolist()
    chosen = [index for index in order if index != unit.index][:n]
    return tuple(Unit(unit.site, index, f"{unit.site.name}:{index}") for index in chosen)


def random_tokens(model: Model, rows: int, length: int, seed: int, of: int) -> Int[Tensor, "row pos"]:
    """Tokens drawn uniformly from the vocabulary without special tokens; ``of`` numbers the random stream."""
    size = min(len(model.tokenizer), model.vocab_size)
    special = set(model.tokenizer.all_special_ids)
    allowed = torch.tensor([i for i in range(size) if i not in special] or list(range(size)))
    drawn: Tensor = allowed[torch.randint(len(allowed), (rows, length), generator=stream(seed, of))]
    return drawn
