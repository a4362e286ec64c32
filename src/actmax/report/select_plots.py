"""The figures of a selection's page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, PercentFormatter

from actmax.numbers import count, number, percent
from actmax.report.figure import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    axes,
    figure,
    svg,
)
from actmax.report.page import Plot
from actmax.report.plots import HALF, WIDE
from actmax.results.select import SelectResult
from actmax.results.select_parts import Context, Layer, Point

PALETTE = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)
LONG = 2.0
"""Tokens that are so many times as long alone as in context are called half a sink."""
FAR = 30.0
"""Where a statistic is larger, the scatter's axes are logarithmic beyond 5."""


def kinds(layers: Sequence[Layer]) -> Mapping[str, list[Layer]]:
    """The sites in blocks, by what they are called without their block."""
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.layer is not None:
            found.setdefault(layer.site.split(".", 2)[2], []).append(layer)
    return found


def profile(result: SelectResult) -> Plot | None:
    """Share of significant units and accuracy on held-out text, by depth."""
    groups = kinds(result.layers)
    if not groups:
        return None
    widest = max(result.layers, key=lambda layer: layer.share)
    sharpest = max(result.layers, key=lambda layer: np.nan_to_num(layer.accuracy))
    alt = (
        f"Share of significant units by block, at most {percent(widest.share)} in {widest.site}; accuracy of"
        f" the best unit on held-out text, at most {percent(sharpest.accuracy)} in {sharpest.site}."
    )
    beside, below = figure(WIDE, 300), figure(HALF, 560)
    _profile(result, groups, *axes(beside, 1, 2))
    _profile(result, groups, *axes(below, 2, 1))
    held = 0 if result.held_out is None else result.held_out.samples_held
    accuracy = (
        f" Accuracy: how often one unit's threshold, fitted on one half, is right on the {count(held)}"
        f" samples of the other: the best unit of each block (at most {percent(sharpest.accuracy)}, in"
        f" {sharpest.site}), and (dashed) the mean of the units found; the horizontal line is always naming"
        " the larger group."
    )
    return Plot(
        "By depth",
        svg(beside, "profile", alt),
        f"Significant: the share of units that differ, {result.corrected}; it is largest in {widest.site}"
        f" ({percent(widest.share)}), and the dashed line is what shuffled labels give before correction."
        f"{accuracy if held else ''}",
        wide=True,
        narrow=svg(below, "profile-narrow", alt),
    )


def _profile(result: SelectResult, groups: Mapping[str, list[Layer]], left: Axes, right: Axes) -> None:
    for (kind, layers), colour in zip(groups.items(), PALETTE * 9, strict=False):
        at = [layer.layer for layer in layers]
        _line(left, at, [layer.share for layer in layers], colour, kind)
        _line(right, at, [layer.accuracy for layer in layers], colour, f"{kind}: best unit")
        _line(
            right, at, [layer.mean_accuracy for layer in layers], colour, "mean of found units", dashed=True
        )
    chance_shares = [layer.chance_share for layer in result.layers if np.isfinite(layer.chance_share)]
    if chance_shares:
        left.axhline(float(np.mean(chance_shares)), color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
    majority = max(result.a.samples, result.b.samples) / (result.a.samples + result.b.samples)
    right.axhline(majority, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
    left.set_title("units that are significant", loc="left", color=MUTED)
    right.set_title("accuracy on held-out text", loc="left", color=MUTED)
    left.set_ylim(0, 1.02)
    for axis in (left, right):
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xlabel("block")
    if len(groups) > 1:
        left.legend(frameon=False, labelcolor=INK, fontsize=11)


def scatter(result: SelectResult) -> Plot | None:
    """Every unit's statistic on one set against the other."""
    held = result.held_out
    if held is None or not held.points:
        return None
    drawing = figure(HALF, 330)
    (axis,) = axes(drawing)
    edge = _stretch(axis, held.points)
    looks = (
        ([p for p in held.points if p.holds is None], MUTED, 0.35, "not found"),
        ([p for p in held.points if p.holds is False], ORANGE, 0.8, "found, does not hold"),
        ([p for p in held.points if p.holds], BLUE, 0.6, "found and holds"),
    )
    for points, colour, alpha, label in looks:
        if points:
            at, beside = (
                np.clip([getattr(p, name) for p in points], -edge, edge) for name in ("found", "held")
            )
            axis.plot(at, beside, "o", ms=3.5, mew=0, color=colour, alpha=alpha, label=label, clip_on=False)
    axis.axhline(0, color=GRID, linewidth=1.0)
    axis.axvline(0, color=GRID, linewidth=1.0)
    axis.legend(frameon=False, labelcolor=INK, fontsize=11, loc="upper left", handlelength=0.8)
    axis.set_xlabel("statistic on the finding set")
    axis.set_title("statistic on the other set", loc="left", color=MUTED)
    far = "; beyond 5 the axes are logarithmic" if axis.get_xscale() == "symlog" else ""
    infinite = sum(math.isinf(p.found) or math.isinf(p.held) for p in held.points)
    if infinite:
        far += (
            f"; {count(infinite)} with an infinite statistic (no spread within the groups) stand at the edge"
        )
    of = {"second set": "a second set of texts", "words": "other words"}.get(held.kind, "held-out text")
    alt = f"Scatter of units' statistics on two sets: {count(held.held)} of {count(held.found)} units hold."
    return Plot(
        "Does it hold elsewhere?",
        svg(drawing, "scatter", alt),
        f"Of {count(held.found)} units found on {count(held.samples_found)} samples, {count(held.held)}"
        f" ({percent(held.concordance)}) are significant with the same sign on {of}"
        f" ({count(held.samples_held)} samples); {percent(held.same_sign)} have the same sign. Drawn are"
        f" up to 400 found units and 400 others, evenly by rank{far}.",
    )


def _stretch(axis: Axes, points: Sequence[Point]) -> float:
    """Set the limits, logarithmic beyond 5 where a few units lie far out; where the edge is."""
    sizes = [abs(value) for point in points for value in (point.found, point.held)]
    largest = max((size for size in sizes if math.isfinite(size)), default=0.0) or 1.0
    edge = 1.3 * largest
    if largest >= FAR:
        ticks = [tick for tick in (5, 20, 100, 500, 2000) if tick < edge]
        for axle, scale in ((axis.xaxis, axis.set_xscale), (axis.yaxis, axis.set_yscale)):
            scale("symlog", linthresh=5, linscale=1.0)
            axle.set_major_locator(FixedLocator([*(-tick for tick in ticks), 0, *ticks]))
            axle.set_minor_locator(NullLocator())
            axle.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    if largest >= FAR or any(map(math.isinf, sizes)):
        axis.set_xlim(-edge, edge)
        axis.set_ylim(-edge, edge)
    return edge


def correlates(result: SelectResult) -> Plot | None:
    """How strongly units follow length, frequency and position, by depth."""
    groups = kinds(result.layers)
    if not groups or not result.covariates:
        return None
    kind, layers = next(iter(groups.items()))
    drawing = figure(HALF, 330)
    (axis,) = axes(drawing)
    at = [layer.layer for layer in layers]
    for name, colour in zip(result.covariates, PALETTE, strict=False):
        _line(axis, at, [layer.correlates.get(name, np.nan) for layer in layers], colour, name)
        partial = [layer.correlates_partial.get(name, np.nan) for layer in layers]
        _line(axis, at, partial, colour, "", dashed=True)
    axis.set_ylim(0, None)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False, labelcolor=INK, fontsize=11)
    axis.set_xlabel("block")
    axis.set_title("correlation (root mean square over units)", loc="left", color=MUTED)
    last = layers[-1]
    kept = [layer.survive for layer in layers if np.isfinite(layer.survive)]
    stays = (
        f" With all of them held constant, {percent(float(np.mean(kept)))} of the significant units still"
        " differ between the groups (mean over blocks)."
        if kept
        else ""
    )
    alt = "Correlation of units with " + ", ".join(
        f"{name} ({number(last.correlates.get(name))} in the last block)" for name in result.covariates
    )
    return Plot(
        "What else units follow",
        svg(drawing, "correlates", alt + "."),
        f"Units of {kind} against what the {count(result.a.samples + result.b.samples)} targets also differ"
        f" in; dashed with the others held constant.{stays}",
    )


def context(result: SelectResult) -> list[Plot]:
    """What context and the leading space change, and the way through the blocks."""
    if not result.context:
        return []
    names = (result.a.name, result.b.name)
    colours = dict(zip(names, (BLUE, ORANGE), strict=True))
    far = figure(HALF, 300)
    (axis,) = axes(far)
    way = figure(HALF, 300)
    (path,) = axes(way)
    for one in result.context:
        depth = list(range(len(one.path)))
        colour = colours.get(one.group, BLUE)
        _line(axis, depth, list(one.context_distance), colour, f"{one.group}: context")
        _line(axis, depth, list(one.space_distance), colour, f"{one.group}: leading space", dashed=True)
        _line(path, depth, list(one.path), colour, f"{one.group}: path")
        _line(path, depth, list(one.straight), colour, f"{one.group}: straight", dashed=True)
    for drawn in (axis, path):
        drawn.set_xlabel("blocks passed")
        drawn.xaxis.set_major_locator(MaxNLocator(integer=True))
        drawn.set_ylim(0, drawn.get_ylim()[1] * 1.45)  # the legend's room
        drawn.legend(frameon=False, labelcolor=INK, fontsize=10.5, loc="upper left")
    axis.set_title("distance over the norm alone", loc="left", color=MUTED)
    path.set_title("distance in the residual stream", loc="left", color=MUTED)
    first = result.context[0]
    of = " and ".join(f"{count(one.samples)} samples of {one.group}" for one in result.context)
    return [
        Plot(
            "How much of a token is its context",
            svg(
                far,
                "context",
                f"Distance of tokens in context from themselves alone, by depth. {_peak(first)}",
            ),
            "The residual stream at the targets, in context against the same token alone after BOS, relative"
            f" to its norm alone; dashed, the token alone against itself with the other leading space."
            f" Medians over {of}. {_peak(first)} Position is part of the difference: alone, a token stands at"
            f" position 1.{_half_sink(first)}",
        ),
        Plot(
            "How far the blocks carry it",
            svg(
                way,
                "path",
                f"Length of the targets' way through the blocks: {number(first.path[-1])} for {first.group}.",
            ),
            f"The length of the way from the embedding through the blocks, and dashed the straight distance,"
            f" medians over {of}. For {first.group} the way is {number(first.path[-1])} long and ends"
            f" {number(first.straight[-1])} away.",
        ),
    ]


def _peak(one: Context) -> str:
    values = np.nan_to_num(np.asarray(one.context_distance))
    at = int(values.argmax())
    return f"For {one.group} it is largest after {at} blocks ({number(float(values[at]))})."


def _half_sink(one: Context) -> str:
    """Where tokens alone are much longer than in context, for they are the first after BOS."""
    values = np.nan_to_num(np.asarray(one.alone_over_context))
    if not len(values) or values.max() < LONG:
        return ""
    at = int(values.argmax())
    blocks = f"{at} block{'s' * (at > 1)}"
    return (
        f" After {blocks} a token of {one.group} alone is {number(float(values[at]))} times as long as in"
        " context, half an attention sink: there the distance says little of context."
    )


def _line(
    axis: Axes,
    at: Sequence[int | None],
    values: Sequence[float],
    colour: str,
    label: str,
    *,
    dashed: bool = False,
) -> None:
    style = (0, (3, 2)) if dashed else "-"
    axis.plot(
        [float(x or 0) for x in at],
        values,
        color=colour,
        linewidth=1.2 if dashed else 1.8,
        linestyle=style,
        marker="o" if len(values) < 3 else None,
        ms=5,
        label=label or None,
    )
