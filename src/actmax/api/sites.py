"""The sites of a model, described as plain data."""

from __future__ import annotations

from typing import TypedDict

from actmax.models.model import Model
from actmax.models.sites import HEADED, Site, d_head, heads, list_sites

MEANINGS = {
    "hook_embed": "dimension of the token embedding",
    "hook_resid_pre": "dimension of the residual stream, before the block",
    "hook_resid_mid": "dimension of the residual stream, between attention and MLP",
    "hook_resid_post": "dimension of the residual stream, after the block",
    "hook_attn_out": "dimension of what attention adds to the residual stream",
    "hook_mlp_out": "dimension of what the MLP adds to the residual stream",
    "mlp.hook_pre": "neuron, before the non-linearity",
    "mlp.hook_pre_linear": "neuron, on the branch that the gate multiplies",
    "mlp.hook_post": "neuron, as the down-projection reads it",
    "attn.hook_q": "query",
    "attn.hook_k": "key",
    "attn.hook_v": "value",
    "attn.hook_z": "attention output before its projection",
    "ln_final.hook_normalized": "dimension of the residual stream, after the final norm",
    "unembed.hook_logits": "token id",
}
"""What an index counts, by kind of site."""


class SiteRow(TypedDict):
    """One site."""

    name: str
    width: int
    layer: int | None
    kind: str
    index: str
    heads: int | None
    d_head: int | None


class SiteListing(TypedDict):
    """All sites of a model."""

    schema: str
    model: str
    architecture: str
    n_blocks: int
    d_model: int
    sites: list[SiteRow]


def sites(model: Model) -> SiteListing:
    """All sites of a model, with their widths and what an index counts."""
    rows = [_row(model, name, width) for name, width in list_sites(model).items()]
    return {
        "schema": "actmax.sites/1",
        "model": model.name,
        "architecture": str(model.net.config.model_type),
        "n_blocks": model.n_blocks,
        "d_model": rows[0]["width"],
        "sites": rows,
    }


def _row(model: Model, name: str, width: int) -> SiteRow:
    layer = int(name.split(".")[1]) if name.startswith("blocks.") else None
    kind = Site(name, layer).kind
    headed = kind in HEADED
    return {
        "name": name,
        "width": width,
        "layer": layer,
        "kind": kind,
        "index": MEANINGS.get(kind, "index"),
        "heads": heads(model, kind) if headed else None,
        "d_head": d_head(model) if headed else None,
    }
