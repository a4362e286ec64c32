"""Matplotlib figures as inline SVG that follows the page: its font, its ink, dark or light.

Colours are drawn as the hexadecimal values below and replaced by CSS variables in the SVG, so one drawing
serves both schemes; backgrounds stay transparent. Text stays text (small, selectable, in the reader's font).
The same figure gives the same bytes: no date, fixed ids, short coordinates. Nothing global of matplotlib is
changed: figures are built as objects and ``pyplot`` is never imported.
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID = "#010203", "#040506", "#070809"
"""Text and marks, quieter text, lines behind the data: never seen, always replaced."""
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
)
"""Okabe and Ito's palette, told apart with every common kind of colour blindness."""

_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREEN: "--green",
    VERMILION: "--vermilion",
    PURPLE: "--purple",
    SKY: "--sky",
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11.0,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 11.0,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0.0,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
}
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_PATHS = re.compile(r'(?<= d=")[^"]*|(?<=points=")[^"]*')


def figure(width: int, height: int) -> Figure:
    """An empty figure of ``width`` × ``height`` CSS pixels in the page's style."""
    with mpl.rc_context(_STYLE):
        return Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")


def axes(drawing: Figure, rows: int = 1, columns: int = 1, *, sharex: bool = False) -> list[Axes]:
    """The axes of ``drawing`` in a grid, row by row, in the page's style."""
    with mpl.rc_context(_STYLE):
        grid = drawing.subplots(rows, columns, squeeze=False, sharex=sharex)
    return [axis for row in grid for axis in row]


def svg(drawing: Figure, name: str, alt: str) -> Markup:
    """``drawing`` as an ``<svg>`` element.

    Args:
        drawing: built with :func:`figure`.
        name: unlike that of any other figure of the page; its ids start with it.
        alt: what the figure shows, for those who do not see it.
    """
    out = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        drawing.savefig(out, format="svg", metadata=nothing, transparent=True)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = _PATHS.sub(lambda path: _NUMBER.sub(_short, path[0].replace("\n", "")), text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    box = re.search(r'viewBox="[^"]*"', text)
    width = drawing.get_figwidth() * 72
    opening = (
        f'<svg {box[0] if box else ""} role="img" aria-label="{escape(alt)}" style="max-width:{width:.0f}px">'
    )
    text = re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
    return Markup(re.sub(r">\s+<", "><", text.strip()))  # noqa: S704  (matplotlib escapes what it draws)


def _short(number: re.Match[str]) -> str:
    short = f"{float(number[0]):.1f}".removesuffix(".0")
    return "0" if short == "-0" else short
