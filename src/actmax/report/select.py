"""The page of a selection: ``report.html`` and what a notebook shows.

This module is the renderer of ``actmax.select/1`` (see :mod:`actmax.results.rendering`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from actmax.legible import legible
from actmax.numbers import NONE, count, number, percent, seconds
from actmax.report.heat import heat
from actmax.report.page import MOST_BYTES, Stat, pairs, render
from actmax.report.select_plots import context, correlates, profile, scatter
from actmax.results.plain import to_plain
from actmax.results.select import SelectResult
from actmax.results.select_parts import PassageRead, UnitSelectivity
from actmax.results.shown import columns_shown

_TRIES = ((50, 6), (50, 3), (30, 3), (30, 2), (20, 1), (10, 0))
"""Rows of the table and units over fresh text that a page tries to show."""


@dataclass(frozen=True)
class HeatRow:
    """One passage under one unit."""

    label: str
    text: Markup


@dataclass(frozen=True)
class HeatUnit:
    """One unit over all passages."""

    unit: UnitSelectivity
    side: str
    """The group whose side is blue."""
    rows: tuple[HeatRow, ...]


def page(result: SelectResult) -> str:
    """The whole of ``report.html``, with less in it where it would be larger than 2 MB."""
    for rows, heats in _TRIES:
        text = render("select.html.j2", **_context(result, rows, heats))
        if len(text.encode()) < MOST_BYTES:
            break
    return text


def summary(result: SelectResult) -> str:
    """A piece of HTML for a notebook's cell: the conclusion, the numbers and ten units."""
    return render("select_summary.html.j2", **_context(result, 10, 0))


def _context(result: SelectResult, rows: int, heats: int) -> dict[str, Any]:
    plots = [profile(result), scatter(result), correlates(result), *context(result)]
    found = [unit for unit in result.units if unit.significant]
    return {
        "result": result,
        "stats": _stats(result),
        "notices": _notices(result),
        "plots": [plot for plot in plots if plot is not None],
        "columns": columns_shown(found[:rows], "page"),
        "level": f"{float(result.settings.get('alpha', 0.05)):g}",
        "heats": _heats(result, min(heats, len(found))),
        "passages": len(result.passages),
        "settings": pairs(to_plain(result.settings)),
        "corpus": [] if result.corpus is None else pairs(to_plain(result.corpus)),
        "manifest": pairs({k: v for k, v in result.manifest.to_json().items() if k != "command"}),
        "took": seconds(result.cost.read_seconds),
        "compared": seconds(result.cost.statistics_seconds),
        "percent": percent,
    }


def _stats(result: SelectResult) -> list[Stat]:
    found = []
    share = result.significant / result.n_units if result.n_units else 0.0
    by_chance = result.chance
    control = "" if by_chance is None else f"; shuffled labels give {percent(by_chance.significant)}"
    found.append(Stat("Significant", percent(share), f"of {count(result.n_units)} units{control}"))
    held = result.held_out
    if held is not None:
        found.append(
            Stat(
                "Concordance",
                percent(held.concordance),
                f"{count(held.held)} of {count(held.found)} found units hold with the same sign",
            )
        )
    if by_chance is not None and math.isfinite(by_chance.threshold):
        found.append(
            Stat(
                "Beyond chance",
                count(by_chance.beyond),
                f"units with |t| above {number(by_chance.threshold)}, which the best unit of a shuffle"
                " rarely reaches",
            )
        )
    if result.probe is not None:
        found.append(
            Stat(
                "Units together",
                percent(result.probe.accuracy),
                "accuracy of a sparse probe on unseen documents, over all"
                f" {count(result.a.samples + result.b.samples)} samples; the best single unit"
                f" {percent(result.probe.single_accuracy)}",
            )
        )
    found.append(
        Stat(
            "Samples",
            f"{count(result.a.samples)} + {count(result.b.samples)}",
            f"from {count(result.a.documents)} and {count(result.b.documents)} documents",
        )
    )
    return found


def _notices(result: SelectResult) -> list[str]:
    found = []
    if not result.complete:
        found.append(
            "This was stopped before everything was done: some of it is missing, or rests on fewer samples."
        )
    found += result.notes
    for group in (result.a, result.b):
        if group.sinks:
            found.append(
                f"{count(group.sinks)} samples of {group.name} were left out: their target is an"
                " attention sink."
            )
    return found


def _heats(result: SelectResult, most: int) -> list[HeatUnit]:
    by_name = {unit.unit: unit for unit in result.units}
    found = []
    for place, row in enumerate(result.passages[0].units[:most] if result.passages else ()):
        unit = by_name.get(row.unit)
        if unit is None:
            continue
        middle = (unit.mean_a + unit.mean_b) / 2
        sign = 1.0 if unit.mean_a >= unit.mean_b else -1.0
        shifted = [[sign * (v - middle) for v in passage.units[place].values] for passage in result.passages]
        full = max((abs(v) for row_ in shifted for v in row_ if math.isfinite(v)), default=1.0)
        rows = tuple(
            HeatRow(_label(result, passage), heat(passage.tokens, values, _peak(passage), full))
            for passage, values in zip(result.passages, shifted, strict=True)
        )
        found.append(HeatUnit(unit, result.a.name, rows))
    return found


def _label(result: SelectResult, passage: PassageRead) -> str:
    name = {"a": result.a.name, "b": result.b.name}.get(passage.group, "")
    return legible(name) if name else NONE


def _peak(passage: PassageRead) -> int:
    return passage.target[1] - 1 if passage.target else -1
