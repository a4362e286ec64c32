"""The figures of the pages, each from plain arrays; none knows what a result is.

Each returns SVG for :mod:`actmax.report.page`. Lines are thinned to what a screen can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from actmax.numbers import number
from actmax.report.figure import BLUE, GRID, INK, MUTED, ORANGE, axes, figure, svg

HALF, WIDE = 501, 1042
"""Widths of figures in CSS pixels: two side by side, or one over the page."""

Values = NDArray[np.float64]

_POINTS = 200
_LINES = 60
_COLUMNS = 1000
_ROWS = 64
_FARTHEST = 1e15


@dataclass(frozen=True)
class Curve:
    """One line of :func:`curves`."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str = BLUE
    strong: bool = False
    """Drawn over the others, and thicker."""
    label: str = ""
    """Written at its end."""
    stairs: bool = False
    """A value holds until the next one, as the best so far does."""
    dashed: bool = False


Level: TypeAlias = tuple[float, str]
"""A value that is drawn through the whole figure, with its label."""


def curves(
    name: str,
    alt: str,
    lines: Sequence[Curve],
    *,
    x: str,
    y: str,
    log: bool = False,
    level: Level | None = None,
    size: tuple[int, int] = (HALF, 290),
) -> Markup:
    """Lines over a common axis, for example the activation of every restart over steps.

    Of more than 60 lines the strong and labelled ones and the first of the rest are drawn.
    """
    drawing = figure(*size)
    (axis,) = axes(drawing)
    kept = sorted(lines, key=lambda line: (not line.strong, not line.label))[:_LINES]
    for line in reversed(kept):
        at, values = _thinned(line.x, line.y)
        axis.plot(
            at,
            values,
            color=line.colour,
            linewidth=2.0 if line.strong else 1.0,
            alpha=1.0 if line.strong else 0.35,
            drawstyle="steps-post" if line.stairs else "default",
            linestyle=(0, (3, 1.5)) if line.dashed else "solid",
        )
    if log and any(np.nanmax(_drawable(line.y), initial=0.0) > 0 for line in kept):
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_minor_locator(NullLocator())
    _plain_numbers(axis)
    axis.margins(x=0)
    _draw_level(axis, level)
    _end_labels(axis, [*(line for line in kept if line.label), *_level_end(axis, level)])
    axis.set_xlabel(x)
    axis.set_title(y, loc="left", color=MUTED)
    return svg(drawing, name, alt)


def distributions(name: str, alt: str, samples: Sequence[tuple[str, Values, str]], *, x: str) -> Markup:
    """Densities of samples (label, values, colour) on a logarithmic axis, as steps."""
    drawing = figure(HALF, 290)
    (axis,) = axes(drawing)
    drawable = [(label, _drawable(values), colour) for label, values, colour in samples]
    finite = [(label, values[np.isfinite(values)], colour) for label, values, colour in drawable]
    finite = [(label, values, colour) for label, values, colour in finite if values.size]
    if finite:
        edges = _edges(np.concatenate([values for _, values, _ in finite]), 90)
        for label, values, colour in finite:
            density, _ = np.histogram(values, edges, density=True)
            axis.stairs(density, edges, color=colour, linewidth=1.8, label=label, baseline=None)
        axis.set_yscale("log")
        axis.legend(frameon=False, labelcolor=INK, loc="upper right", handlelength=1.2, fontsize=11)
    _plain_numbers(axis)
    axis.margins(x=0)
    axis.set_xlabel(x)
    axis.set_title("density (logarithmic)", loc="left", color=MUTED)
    return svg(drawing, name, alt)


def matrix(name: str, alt: str, values: NDArray[np.floating], *, x: str, y: str) -> Markup:
    """A matrix as colours: blue above zero, orange below, transparent at zero.

    More than 1,000 columns or 64 rows are shown in bins by their entry of largest magnitude; the
    0.5 % of values that are farthest from zero share the full colour.
    """
    drawable = _drawable(values)
    shown = _binned(_binned(np.nan_to_num(drawable), _COLUMNS, 1), _ROWS, 0)
    rows = shown.shape[0]
    drawing = figure(WIDE, 96 + 18 * min(max(rows, 3), 24))
    (axis,) = axes(drawing)
    known = np.abs(drawable[np.isfinite(drawable)])
    full = (float(np.quantile(known, 0.995)) if known.size else 0.0) or 1.0
    extent = (-0.5, values.shape[1] - 0.5, values.shape[0] - 0.5, -0.5)
    axis.imshow(_signed_colours(shown / full), aspect="auto", interpolation="none", extent=extent)
    axis.grid(visible=False)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axis.set_xlabel(x)
    axis.set_title(f"{y}  (full colour from ±{number(full)})", loc="left", color=MUTED)
    return svg(drawing, name, alt)


@dataclass(frozen=True)
class Points:
    """The points of one method in :func:`frontier_curves`."""

    label: str
    at: Sequence[tuple[float, float]]
    colour: str = BLUE


def frontier_curves(
    name: str,
    alt: str,
    series: Sequence[Points],
    *,
    x: str,
    y: str,
    level: Level | None = None,
    width: int = HALF,
    height: int = 290,
) -> Markup:
    """Points joined by steps, one series a method: what can be had of ``y`` for how much ``x``."""
    drawing = figure(width, height)
    (axis,) = axes(drawing)
    for points in series:
        kept = sorted(point for point in points.at if np.isfinite(_drawable(point)).all())
        across, up = [point[0] for point in kept], [point[1] for point in kept]
        axis.step(across, up, where="post", color=points.colour, linewidth=1.2, alpha=0.5)
        axis.plot(across, up, "o", color=points.colour, ms=6, mew=0, label=points.label)
    if any(points.label for points in series):
        axis.legend(frameon=False, labelcolor=INK, fontsize=11, handletextpad=0.2)
    _plain_numbers(axis)
    _draw_level(axis, level)
    _end_labels(axis, _level_end(axis, level))
    axis.set_xlabel(x)
    axis.set_title(y, loc="left", color=MUTED)
    return svg(drawing, name, alt)


def _draw_level(axis: Axes, level: Level | None) -> None:
    if level is not None and abs(level[0]) <= _FARTHEST:
        axis.axhline(level[0], color=INK, linewidth=1.0, linestyle=(0, (4, 3)))


def _level_end(axis: Axes, level: Level | None) -> list[Curve]:
    """The right end of a level, where its label is written."""
    if level is None or not abs(level[0]) <= _FARTHEST:
        return []
    return [Curve((axis.get_xlim()[1],), (level[0],), MUTED, label=level[1].replace("$", r"\$"))]


@dataclass(frozen=True)
class Row:
    """One row of :func:`gap`."""

    label: str
    values: Sequence[float]
    """One mark each."""
    best: float | None = None
    """A stronger mark, with its number."""
    mean: float | None = None
    """A mark across the row, with its number."""
    colour: str = BLUE
    ticks: bool = False
    """Many values: thin ticks in place of dots."""


def gap(
    name: str,
    alt: str,
    rows: Sequence[Row],
    *,
    linear: float,
    x: str,
    line: Level | None = None,
    width: int = WIDE,
) -> Markup:
    """Activations of several kinds of input, one kind a row, on an axis that shows 0.5 and 200 alike.

    Args:
        name: of the figure.
        alt: what it shows.
        rows: from top to bottom.
        linear: the axis is linear within ± this and logarithmic beyond; a line under it says so.
        x: what the axis is.
        line: a value drawn through all rows with a label, for example a corpus maximum.
        width: CSS pixels.
    """
    drawing = figure(width, 92 + 46 * len(rows))
    (axis,) = axes(drawing)
    axis.set_xscale("symlog", linthresh=linear, linscale=0.7)
    for height, row in enumerate(reversed(rows)):
        _gap_row(axis, float(height), row)
    axis.axvline(0, color=GRID, linewidth=1.0)
    if line is not None and abs(line[0]) <= _FARTHEST:
        axis.axvline(line[0], color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
        _note(axis, line[1], (line[0], len(rows) - 0.4), (0, 3), MUTED)
    axis.set_yticks(range(len(rows)), [row.label for row in reversed(rows)])
    axis.tick_params(axis="y", labelcolor=INK)
    axis.set_ylim(-0.65, len(rows) - 0.4)
    axis.grid(visible=False, axis="y")
    axis.grid(visible=True, axis="x")
    axis.spines["left"].set_visible(False)
    axis.xaxis.set_major_formatter(FuncFormatter(_tick))
    axis.margins(x=0.06)
    axis.set_xlabel(f"{x} (linear within ±{_tick(linear)}, logarithmic beyond)")
    return svg(drawing, name, alt)


def _gap_row(axis: Axes, height: float, row: Row) -> None:
    values = _drawable(row.values)
    values = values[np.isfinite(values)]
    if row.ticks:
        values = np.unique(np.quantile(values, np.linspace(0, 1, 400))) if values.size else values
        # One path: up, down, and a gap between ticks.
        at = np.repeat(values, 3)
        ends = np.tile([height - 0.17, height + 0.17, np.nan], values.size)
        axis.plot(at, ends, color=row.colour, linewidth=0.8, alpha=0.5)
    else:
        axis.plot(values, np.full(values.shape, height), "o", color=row.colour, ms=6, mew=0, alpha=0.4)
    if row.best is not None and abs(row.best) <= _FARTHEST:
        axis.plot([row.best], [height], "o", color=row.colour, ms=9, mew=0)
        _note(axis, number(row.best), (row.best, height), (0, 9), INK)
    if row.mean is not None and abs(row.mean) <= _FARTHEST:
        axis.plot([row.mean, row.mean], [height - 0.27, height + 0.27], color=INK, linewidth=1.6)
        _note(axis, f"mean {number(row.mean)}", (row.mean, height), (0, -23), MUTED)


def _note(axis: Axes, text: str, at: tuple[float, float], offset: tuple[int, int], colour: str) -> None:
    axis.annotate(
        text.replace("$", r"\$"),
        at,
        offset,
        textcoords="offset points",
        ha="center",
        fontsize=11,
        color=colour,
        annotation_clip=False,
    )


def marked_histograms(
    name: str, alt: str, panels: Sequence[tuple[str, Values, float | None]], *, x: str
) -> Markup:
    """Histograms (title, values, the value to mark) over one axis; counts are logarithmic."""
    drawing = figure(HALF, 290)
    grid = axes(drawing, len(panels), 1, sharex=True)
    finite = [values[np.isfinite(values)] for values in (_drawable(panel[1]) for panel in panels)]
    edges = _edges(np.concatenate(finite), 70)
    for axis, (title, _, mark), values in zip(grid, panels, finite, strict=True):
        counts, _ = np.histogram(values, edges)
        axis.stairs(counts, edges, fill=True, color=BLUE, alpha=0.45, linewidth=0)
        axis.set_ylim(0.7, max(float(counts.max(initial=1)) * 2, 2))
        axis.set_yscale("log")
        _plain_numbers(axis)
        axis.margins(x=0.02)
        if mark is not None and abs(mark) <= _FARTHEST:
            axis.axvline(mark, color=ORANGE, linewidth=2.2)
        axis.set_title(title, loc="left", color=MUTED)
    grid[-1].set_xlabel(x)
    return svg(drawing, name, alt)


def _drawable(values: Sequence[float] | NDArray[np.floating]) -> Values:
    """``values`` with NaN for what no axis can show: not finite, or beyond 1e15."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(array) & (np.abs(array) <= _FARTHEST), array, np.nan)


def _thinned(x: Sequence[float], y: Sequence[float]) -> tuple[Values, Values]:
    """At most 200 of the points, the first and the last among them; not finite ones make gaps."""
    at = np.asarray(x[: len(y)], dtype=np.float64)
    values = _drawable(y)
    if at.size <= _POINTS:
        return at, values
    kept = np.unique(np.linspace(0, at.size - 1, _POINTS).round().astype(int))
    return at[kept], values[kept]


def _end_labels(axis: Axes, lines: Sequence[Curve]) -> None:
    """Write each line's label right of its last point, moved apart where they would touch."""
    ends = [(line, _thinned(line.x, line.y)) for line in lines]
    ends = [(line, points) for line, points in ends if points[0].size and np.isfinite(points[1][-1])]
    ends.sort(key=lambda end: float(end[1][1][-1]))
    low, high = axis.get_ylim()
    log = axis.get_yscale() == "log"
    heights: list[float] = []
    for _, (_, values) in ends:
        bottom, end, top = np.log([low, values[-1], high]) if log else (low, float(values[-1]), high)
        heights.append(float((end - bottom) / ((top - bottom) or 1.0)))
    apart = 24.65 / (72 * axis.figure.get_figheight())  # type: ignore[union-attr]  # of a whole figure
    for (line, (at, _)), height in zip(ends, _apart(heights, apart), strict=True):
        axis.annotate(
            line.label,
            (float(at[-1]), height),
            (6, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="center",
            fontsize=11,
            color=line.colour,
            annotation_clip=False,
        )


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Ascending heights moved up, and down again from 1, until they are ``gap`` apart."""
    moved = list(heights)
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + gap)
    limit = 1.0
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - gap
    return moved


def _plain_numbers(axis: Axes) -> None:
    axis.xaxis.set_major_formatter(FuncFormatter(_tick))
    axis.yaxis.set_major_formatter(FuncFormatter(_tick))


def _tick(value: float, _: object = None) -> str:
    """A number on an axis, no longer than it must be: ``−1``, ``0.25``, ``1e-05``."""
    return f"{value:.6g}".replace("-", "−")


def _edges(values: Values, bins: int) -> Values:
    """Equal bins over the range of ``values``, not empty where all are equal."""
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not low < high:
        middle = low if np.isfinite(low) else 0.0
        low, high = middle - 0.5, middle + 0.5
    return np.linspace(low, high, bins + 1)


def _binned(values: Values, most: int, dimension: int) -> Values:
    """``values`` with at most ``most`` entries along a dimension: of each bin the largest magnitude."""
    size = values.shape[dimension]
    if size <= most:
        return values
    starts = np.linspace(0, size, most + 1).astype(int)[:-1]
    high = np.maximum.reduceat(values, starts, axis=dimension)
    low = np.minimum.reduceat(values, starts, axis=dimension)
    return np.where(high >= -low, high, low)


def _signed_colours(values: Values) -> Values:
    """RGBA for values in [-1, 1]: blue above zero, orange below, more opaque when farther (64 steps)."""
    above, below = to_rgb("#1f86c9"), to_rgb(ORANGE)  # a picture cannot follow the scheme: between the blues
    colours = np.where((values >= 0)[..., None], above, below)
    strength = np.round(np.clip(np.abs(values), 0, 1) * 64) / 64
    return np.concatenate([colours, strength[..., None]], axis=-1)
