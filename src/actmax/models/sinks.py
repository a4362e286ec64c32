"""Attention sinks, recognised by the norm of the residual stream: the one rule for what a sink is.

Some positions carry a residual stream whose norm is tens or hundreds of times the usual one, nearly all of it
in a few dimensions and nearly the same whatever the token (Sun et al. 2024, *Massive Activations in Large
Language Models*, arXiv:2402.17762): position 0, punctuation runs right after BOS, and in some blocks a few
frequent tokens. A unit's activation there is about being a sink. They are left out unless asked for, and
counted.

1. The residual stream of a unit's own depth is looked at (:func:`residual_at`).
2. Its median norm there is measured once (:mod:`actmax.corpus.sinks` on text, :mod:`actmax.search.sinks` on
   random tokens), so that whether a position is a sink never depends on what else is in its batch.
3. A position is a sink where its norm exceeds :data:`SINK_MULTIPLE` times that median. In SmolLM2-135M nearly
   all positions stay below twice the median, and sinks lie between 7 and 180 times it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from actmax.models.derived import base_of
from actmax.models.model import Model
from actmax.models.sites import EMBED, Site
from actmax.shapes import Acts

SINK_MULTIPLE = 5.0
"""A sink's norm exceeds this multiple of the median norm at the same depth."""


@dataclass(frozen=True)
class Sinks:
    """The rule for sinks at one depth."""

    site: Site
    """The residual stream that is looked at."""
    median: float
    """The median norm there, over positions that are not sinks."""
    multiple: float = SINK_MULTIPLE

    def mask(self, residual: Acts) -> Bool[Tensor, "batch pos"]:
        """The positions where the norm of :attr:`site` exceeds the multiple of the median."""
        return residual_norm(residual) > self.multiple * self.median


def residual_norm(residual: Acts) -> Float[Tensor, "batch pos"]:
    """The L2 norm of the residual stream at each position, in float32 and without a graph."""
    norm: Tensor = torch.linalg.vector_norm(residual.detach().float(), dim=-1)
    return norm


def residual_at(model: Model, site: Site) -> Site | None:
    """The residual site by which sinks are recognised for units of ``site``; None for the embedding.

    After the unit's block; before it for ``hook_resid_pre``; at the last block for the final norm and the
    logits.
    """
    site = base_of(model, site)
    if site.name == EMBED:
        return None
    if site.kind == "hook_resid_pre":
        return site if site.layer else None
    layer = model.n_blocks - 1 if site.layer is None else site.layer
    return Site(f"blocks.{layer}.hook_resid_post", layer)


def residuals_of(model: Model, sites: Iterable[Site]) -> tuple[Site, ...]:
    """The residual sites by which the sinks of some sites are recognised, each once."""
    found = [residual_at(model, site) for site in sites]
    return tuple(dict.fromkeys(site for site in found if site is not None))
