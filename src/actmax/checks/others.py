"""Random units of the same site: what a number of one unit is compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from actmax.models.model import Model
from actmax.models.sites import Unit, width
from actmax.rng import stream

_STREAM = 2**30 + 5


def other_units(model: Model, unit: Unit, n: int, seed: int) -> tuple[Unit, ...]:
    """Units of the same site drawn at random, without the unit itself and without repeats.

    For a direction they are random directions. Drawn by the seed and not by the unit, so that two units of a
    site are compared with (nearly) the same others; fewer than ``n`` where the site is that narrow.
    """
    generator = stream(seed, _STREAM)
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
