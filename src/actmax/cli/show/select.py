"""What ``actmax select`` says on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from actmax.cli.show.tables import shown_table
from actmax.legible import legible
from actmax.numbers import count, percent, seconds
from actmax.report.select_plots import kinds
from actmax.results.select import SelectResult
from actmax.results.select_parts import Layer
from actmax.results.shown import columns_shown

LINES = 15
"""Units in the table."""

_BARS = "▁▂▃▄▅▆▇█"


def show_selected(result: SelectResult, screen: Console, folder: Path | None) -> None:
    """The groups, the conclusion, the profile by depth, the strongest units; control characters are shown,
    never sent."""
    for group in (result.a, result.b):
        left = f", {count(group.sinks)} sinks left out" if group.sinks else ""
        screen.print(
            escape(
                f"{legible(group.name)}: {count(group.samples)} of {count(group.total)} samples from"
                f" {count(group.documents)} documents{left}"
            )
        )
    for note in result.notes:
        screen.print(escape(legible(note)), style="yellow")
    screen.print()
    screen.print(escape(legible(" ".join(result.conclusion))))
    screen.print()
    if _profile(result, screen):
        screen.print()
    found = [unit for unit in result.units if unit.significant]
    if found:
        screen.print(shown_table(columns_shown(found[:LINES], "terminal")))
    else:
        screen.print("No unit tells these groups apart.")
    screen.print(
        f"\nread {count(result.cost.tokens)} tokens in {seconds(result.cost.read_seconds)}, compared in"
        f" {seconds(result.cost.statistics_seconds)}",
        style="dim",
    )
    if result.corpus is not None and result.corpus.attribution:
        screen.print(escape(legible(result.corpus.attribution) + "."), style="dim")
    if folder is not None:
        screen.print(
            escape(f"Written to {folder}: report.html, result.json, manifest.json, statistics.safetensors.")
        )


def bars(shares: Sequence[float]) -> str:
    """Shares between 0 and 1 as a row of bars; what is not finite is a dot."""
    top = len(_BARS) - 1
    return "".join(_BARS[round(min(max(x, 0.0), 1.0) * top)] if x == x else "·" for x in shares)


def _profile(result: SelectResult, screen: Console) -> bool:
    """For each kind of site that several blocks have: significant units, and the best unit, by depth."""
    several = {kind: layers for kind, layers in kinds(result.layers).items() if len(layers) > 1}
    if not several:
        return False
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("by depth", "units that differ", "best unit, held out"):
        table.add_column(head, no_wrap=True)
    for kind, layers in several.items():
        blocks = f"blocks {layers[0].layer} to {layers[-1].layer}"
        shares = bars([layer.share for layer in layers])
        accuracy = bars([layer.accuracy for layer in layers])
        table.add_row(escape(f"{kind}, {blocks}"), shares, accuracy)
        table.add_row("", _most(layers, "share"), _most(layers, "accuracy"), style="dim")
    screen.print(table)
    return True


def _most(layers: Sequence[Layer], field: str) -> str:
    """The largest and the smallest share, with their blocks."""
    finite = [layer for layer in layers if getattr(layer, field) == getattr(layer, field)]
    if not finite:
        return ""
    high = max(finite, key=lambda layer: float(getattr(layer, field)))
    low = min(finite, key=lambda layer: float(getattr(layer, field)))
    ends = (f"{percent(getattr(one, field))} in block {one.layer}" for one in (high, low))
    return " … ".join(ends)
