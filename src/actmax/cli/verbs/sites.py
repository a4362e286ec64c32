"""``actmax sites``: what can be read in a model, and how wide it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, Seed
from actmax.cli.terminal import console, emit_json, write_result

if TYPE_CHECKING:
    from rich.table import Table

    from actmax.api.sites import SiteListing


@verb("sites", order=90)
def sites(machine: Machine, seed: Seed, output: Output) -> None:
    """List the sites of a model with their widths.

    A unit is SITE:INDEX, with indices from 0 to the width less one.

    Examples:
      actmax sites
      actmax sites --model gpt2 --json
    """
    opened = machine.load(quiet=output.quiet)
    from actmax.api.sites import sites as describe

    listing = describe(opened)
    write_result(output.out, listing)
    if output.json:
        emit_json(listing)
        return
    from rich.markup import escape

    screen = console(json=output.json, quiet=output.quiet)
    screen.print(f"{escape(opened.name)}: {listing['n_blocks']} blocks, {listing['architecture']}")
    screen.print(_table(listing))
    screen.print(
        "A unit is SITE:INDEX, for example hidden_states.4:90, or SITE.HEAD:INDEX for q, k, v and z.\n"
        "Where sites are chosen with --sites, * stands for any text: blocks.*.mlp.hook_post."
    )


def _table(listing: SiteListing) -> Table:
    """One row for each kind of site; the names are patterns that --sites understands."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("site", "blocks", "width", "an index is a"):
        table.add_column(
            title, justify="right" if title == "width" else "left", no_wrap=title != "an index is a"
        )
    last = listing["n_blocks"] - 1
    shown = set()
    for site in listing["sites"]:
        if site["kind"] in shown:
            continue
        shown.add(site["kind"])
        name = site["name"] if site["layer"] is None else f"blocks.*.{site['kind']}"
        blocks = "" if site["layer"] is None else f"0 to {last}"
        heads = f", {site['heads']} heads × {site['d_head']}" if site["heads"] else ""
        table.add_row(escape(name), blocks, str(site["width"]), escape(site["index"] + heads))
    table.add_row(
        "hidden_states.*",
        f"0 to {last + 1}",
        str(listing["d_model"]),
        "as in transformers; the last is after the norm",
    )
    return table
