"""``actmax sites``: what can be read in a model, and how wide it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actmax.cli.options import (
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    OutOption,
    QuietOption,
    SeedOption,
    console,
    emit_json,
    open_model,
    write_result,
)

if TYPE_CHECKING:
    from actmax.models.model import Model

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


def sites(
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the sites of a model with their widths.

    A unit is SITE:INDEX, with indices from 0 to the width less one.

    \b
    Examples:
      actmax sites
      actmax sites --model gpt2 --json
    """
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    listing = describe(opened)
    write_result(out, listing)
    if json:
        emit_json(listing)
        return
    from rich.markup import escape
    from rich.table import Table

    last = opened.n_blocks - 1
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("site", "width", "an index is a"):
        table.add_column(
            title, justify="right" if title == "width" else "left", no_wrap=title != "an index is a"
        )
    shown = set()
    for site in listing["sites"]:
        if site["kind"] in shown:
            continue
        shown.add(site["kind"])
        name = site["name"] if site["layer"] is None else f"blocks.{{0..{last}}}.{site['kind']}"
        heads = f", {site['heads']} heads × {site['d_head']}" if site["heads"] else ""
        table.add_row(escape(name), str(site["width"]), escape(site["index"] + heads))
    table.add_row(
        f"hidden_states.{{0..{last + 1}}}",
        str(listing["d_model"]),
        "as in transformers; the last is after the norm",
    )
    screen = console(json=json, quiet=quiet)
    screen.print(f"{escape(opened.name)}: {opened.n_blocks} blocks, {opened.net.config.model_type}")
    screen.print(table)
    screen.print(
        "A unit is SITE:INDEX, for example hidden_states.4:90, or SITE.HEAD:INDEX for q, k, v and z."
    )


def describe(model: Model) -> dict[str, Any]:
    """All sites of a model as plain data."""
    from actmax.models.sites import HEADED, Site, d_head, heads, list_sites

    rows = []
    for name, width in list_sites(model).items():
        layer = int(name.split(".")[1]) if name.startswith("blocks.") else None
        kind = Site(name, layer).kind
        headed = kind in HEADED
        rows.append(
            {
                "name": name,
                "width": width,
                "layer": layer,
                "kind": kind,
                "index": MEANINGS.get(kind, "index"),
                "heads": heads(model, kind) if headed else None,
                "d_head": d_head(model) if headed else None,
            }
        )
    return {
        "schema": "actmax.sites/1",
        "model": model.name,
        "architecture": model.net.config.model_type,
        "n_blocks": model.n_blocks,
        "d_model": rows[0]["width"],
        "sites": rows,
    }
