"""The residual stream by which attention sinks are recognised at the depth of a site."""

from __future__ import annotations

from actmax.models.derived import base_of
from actmax.models.model import Model
from actmax.models.sites import EMBED, Site


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
