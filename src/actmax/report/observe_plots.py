"""The figures of an observation's page."""

from __future__ import annotations

import numpy as np

from actmax.numbers import count, number
from actmax.report.figure import BLUE, INK, MUTED, ORANGE, axes, figure, svg
from actmax.report.page import Plot
from actmax.results.observed_unit import UnitObservation


def histogram(unit: UnitObservation, name: str) -> Plot:
    """How often the unit takes which value, with logarithmic counts."""
    drawing = figure(500, 290)
    (axis,) = axes(drawing)
    edges = np.asarray(unit.histogram.edges)
    counts = np.asarray(unit.histogram.counts, dtype=np.float64)
    middle = (edges[:-1] + edges[1:]) / 2
    for colour, chosen in ((ORANGE, middle < 0), (BLUE, middle >= 0)):
        axis.stairs(np.where(chosen, counts, 0), edges, fill=True, color=colour, alpha=0.55, linewidth=0)
    axis.set_yscale("log")
    axis.set_ylim(0.7, max(float(counts.max(initial=1)) * 2, 2))
    axis.axvline(unit.mean, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else "")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.6g}".replace("-", "−"))
    axis.margins(x=0.02)
    axis.set_xlabel("activation")
    axis.set_title("positions (logarithmic)", loc="left", color=MUTED)
    alt = (
        f"Histogram of {count(unit.count)} activations from {number(unit.min)} to {number(unit.max)},"
        f" mean {number(unit.mean)}."
    )
    half = [level.value for level in unit.quantiles if level.quantile in (0.25, 0.75)]
    between = f" Half of them lie between {number(half[0])} and {number(half[1])}." if len(half) == 2 else ""
    return Plot(
        "How often it takes which value",
        svg(drawing, name, alt),
        f"All {count(unit.count)} positions that count; the dashed line is the mean.{between} The counts"
        " are logarithmic, so the far ends are rarer than they look.",
    )
