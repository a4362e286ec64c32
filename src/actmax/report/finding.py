"""Findings on a page: numbers with their controls, and pictures from plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from markdown_it import MarkdownIt
from markupsafe import Markup
from matplotlib.axes import Axes

from actmax.report.figure import BLUE, INK, MUTED, ORANGE, PURPLE, axes, figure, svg
from actmax.report.page import Plot
from actmax.results.finding import Description, Picture, Series

COLOURS = {"unit": BLUE, "control": MUTED, "shuffled": PURPLE, "other": ORANGE}
_WIDTH, _LARGEST = 500, 1e100


def draw(picture: Picture, name: str) -> Plot:
    """The figure of a picture; ``name`` is unlike that of any other of the page.

    Infinite values are drawn at the edge of the finite ones; values that do not exist are left out.
    """
    shown = _drawable(picture)
    by_rows = picture.kind == "strips"
    drawing = figure(_WIDTH, 60 + 44 * max(len(shown), 1) if by_rows else 290)
    (axis,) = axes(drawing)
    if by_rows:
        _rows(axis, shown)
    else:
        for series in reversed(shown):
            _line(axis, picture, series)
        axis.set_title(picture.y, loc="left", color=MUTED)
    axis.set_xlabel(picture.x)
    if picture.log and by_rows:
        axis.set_xscale("symlog", linthresh=_threshold(shown))
    elif picture.log and any(value > 0 for series in shown for value in series.y):
        axis.set_yscale("log", nonpositive="mask")
    axis.margins(x=0.04)
    if not by_rows and len(shown) > 1:
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(handles[::-1], labels[::-1], frameon=False, fontsize=10, labelcolor=INK, handlelength=1.4)
    return Plot(picture.title, svg(drawing, name, f"{picture.title}: {picture.says}"), picture.says)


def _drawable(picture: Picture) -> list[Series]:
    """The series that have something to draw, with infinite values at the edge of the finite ones."""
    across = _span([value for series in picture.series for value in series.x])
    up = _span([value for series in picture.series for value in series.y])
    made = [
        replace(series, x=_within(series.x, across), y=_within(series.y, up)) for series in picture.series
    ]
    return [
        series
        for series in made
        if any(map(math.isfinite, series.x)) and (not series.y or any(map(math.isfinite, series.y)))
    ]


def _span(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest finite value, no larger than an axis can be."""
    finite = [value for value in values if math.isfinite(value)]
    return max(min(finite, default=0.0), -_LARGEST), min(max(finite, default=0.0), _LARGEST)


def _within(values: Sequence[float], span: tuple[float, float]) -> tuple[float, ...]:
    low, high = span
    return tuple(value if math.isnan(value) else min(max(value, low), high) for value in values)


def plots(pictures: Sequence[Picture], name: str) -> list[Plot]:
    """All figures of some pictures."""
    return [draw(picture, f"{name}{k}") for k, picture in enumerate(pictures)]


def method_pages(methods: Sequence[Description]) -> list[tuple[Description, Markup]]:
    """Descriptions of methods with their text as HTML."""
    return [(method, markdown(method.text)) for method in methods]


@cache
def markdown(text: str) -> Markup:
    """Markdown as HTML; HTML inside of it is escaped."""
    return Markup(MarkdownIt("commonmark", {"html": False}).render(text))  # noqa: S704


def _line(axis: Axes, picture: Picture, series: Series) -> None:
    colour = COLOURS[series.role]
    strong = series.role == "unit"
    if picture.kind == "lines":
        axis.plot(
            series.x,
            series.y,
            color=colour,
            linewidth=1.8 if strong else 1.0,
            alpha=1.0 if strong else 0.7,
            label=series.label,
        )
    else:
        axis.scatter(
            series.x,
            series.y,
            color=colour,
            s=16 if strong else 10,
            alpha=0.75,
            linewidths=0,
            label=series.label,
        )


def _rows(axis: Axes, shown: Sequence[Series]) -> None:
    axis.grid(visible=False, axis="y")
    axis.grid(visible=True, axis="x")
    for height, series in enumerate(reversed(shown)):
        colour = COLOURS[series.role]
        values = np.asarray([value for value in series.x if np.isfinite(value)], dtype=np.float64)
        if not len(values):
            continue
        many = len(values) > 1
        axis.plot(
            values,
            np.full(len(values), height),
            linestyle="none",
            marker="|" if many else "D",
            markersize=14 if many else 8,
            color=colour,
            alpha=0.6 if many else 1.0,
        )
        if many:
            middle = float(np.median(values))
            axis.plot([middle], [height], linestyle="none", marker="o", markersize=6, color=colour)
    axis.set_yticks(range(len(shown)), [series.label for series in reversed(shown)])
    axis.tick_params(axis="y", labelcolor=INK)
    axis.set_ylim(-0.6, len(shown) - 0.4)


def _threshold(shown: Sequence[Series]) -> float:
    values = np.abs([value for series in shown for value in series.x if np.isfinite(value) and value])
    return float(np.median(values)) if len(values) else 1.0
