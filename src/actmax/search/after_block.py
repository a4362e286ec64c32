"""The vocabulary after a block: what tokens look like to the rest of the model.

The first blocks do little but look tokens up, so a substitution promises more, and more truly, where its
vectors are those after a block and not the embedding's. Each token is run by itself after the frame's prefix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from actmax.models.read import read, read_prefix
from actmax.models.sinks import residual_at
from actmax.models.sites import Site
from actmax.search.meter import Meter
from actmax.search.problem import Problem

_CHUNK = 2048


@dataclass(frozen=True)
class AfterBlock:
    """Some of the vocabulary after a block."""

    site: Site
    """A residual stream that the unit reads from."""
    ids: Int[Tensor, " some"]
    vectors: Float[Tensor, "some d_model"]
    """In float32 on the CPU."""


def after_first_block(
    problem: Problem, meter: Meter, rng: torch.Generator, most: int, each: int = 6
) -> AfterBlock | None:
    """At most ``most`` allowed tokens, drawn uniformly, after the first block.

    Fewer where the budget is small: ``each`` for every sequence that may be scored. None where there are
    none, or where the unit reads nothing after the first block.
    """
    residual = residual_at(problem.model, problem.unit.site)
    if meter.left is not None:
        most = min(most, each * meter.left)
    if most < 1 or residual is None or not residual.layer:
        return None
    allowed = problem.tokens.allowed.ids
    ids = allowed[torch.randperm(len(allowed), generator=rng)[:most]].sort().values
    site = Site("blocks.0.hook_resid_post", 0)
    return AfterBlock(site, ids, after_block(problem, meter, ids, site))


@torch.no_grad()
def after_block(
    problem: Problem, meter: Meter, ids: Int[Tensor, " some"], site: Site
) -> Float[Tensor, "some d_model"]:
    """The residual stream of single tokens after the frame's prefix."""
    model, sites = problem.model, frozenset({site})
    before = torch.tensor([problem.frame.before], dtype=torch.long, device=model.device)
    prefix = read_prefix(model, sites, before) if before.shape[1] else None
    parts = [
        read(model, sites, ids=some[:, None].to(model.device), prefix=prefix)[site][:, 0].float().cpu()
        for some in ids.split(_CHUNK)
    ]
    meter.spend(forward=before.shape[1] + len(ids))
    return torch.cat(parts)
