"""The figures of a comparison: activation against budget, and against likelihood, a colour a method."""

from __future__ import annotations

from actmax.legible import visible
from actmax.numbers import count, number
from actmax.report import plots
from actmax.report.figure import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILION
from actmax.report.page import Plot
from actmax.results.budget import best_so_far
from actmax.results.compare import CompareResult

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK, MUTED)
VARIABLES = ("--blue", "--vermilion", "--green", "--purple", "--orange", "--sky", "--ink", "--muted")
_TALL, _NARROW = 330, 368
_LONGEST = 24


def colour_of(k: int) -> str:
    """The style's variable of the ``k``-th method."""
    return VARIABLES[k % len(VARIABLES)]


def budget(result: CompareResult) -> Plot | None:
    """The best so far of every token method over the sequences that it had scored."""
    lines = []
    for k, one in enumerate(result.results):
        steps, values = ([], []) if one.is_soft else best_so_far(one)
        if steps:
            dashed = k >= len(COLOURS)
            colour = COLOURS[k % len(COLOURS)]
            lines.append(
                plots.Curve(steps, values, colour, True, _label(one.method), stairs=True, dashed=dashed)
            )
    if not lines:
        return None
    ends = "; ".join(f"{line.label} ends at {number(line.y[-1])}" for line in lines)
    alt = f"Best activation so far over sequences scored: {ends}."
    drawing, narrow = (
        plots.curves(
            name,
            alt,
            lines,
            x="sequences scored",
            y="best activation so far",
            level=level(result),
            size=(width, _TALL),
        )
        for name, width in (("budget", plots.HALF), ("budget-narrow", _NARROW))
    )
    meaning = (
        "Every sequence that goes through the model counts, also for a gradient. A line holds its value "
        "until something better is found; a line that is flat at its end would gain little from more budget. "
    )
    soft = [one.method for one in result.results if one.is_soft]
    if soft:
        meaning += f"{soft[0]} is left out: it moves vectors, and only its end is tokens. "
    words = (meaning + _level_words(result)).strip()
    return Plot("Activation over the budget", drawing, words, narrow=narrow)


def frontiers(result: CompareResult) -> Plot | None:
    """Every method's frontier of activation against nats per token."""
    series = []
    for k, one in enumerate(result.results):
        points = [(item.cross_entropy, item.activation) for item in one.frontier]
        if points:
            series.append(plots.Points(_label(one.method), points, COLOURS[k % len(COLOURS)]))
    if not series:
        return None
    alt = f"Activation against cross-entropy for the texts of {count(len(series))} methods."
    drawing, narrow = (
        plots.frontier_curves(
            name,
            alt,
            series,
            x="cross-entropy (nats per token)",
            y="activation",
            level=level(result),
            width=width,
            height=_TALL,
        )
        for name, width in (("frontier", plots.HALF), ("frontier-narrow", _NARROW))
    )
    more = "less" if result.results[0].minimize else "more"
    return Plot(
        "Active and likely",
        drawing,
        f"A dot a text; no other of the same method is both {more} active and more likely under the model. "
        "The farther left, the more it is like language. The texts are in the table below.",
        narrow=narrow,
    )


def _label(method: str) -> str:
    """A name as a figure can draw it."""
    return visible(method)[:_LONGEST].replace("$", r"\$")


def level(result: CompareResult) -> plots.Level | None:
    """The corpus maximum as a line."""
    corpus = result.corpus_maximum
    return None if corpus is None else (corpus.value, f"real text {number(corpus.value)}")


def _level_words(result: CompareResult) -> str:
    corpus = result.corpus_maximum
    if corpus is None:
        return ""
    return f"The dashed line is the best in {count(corpus.n_tokens)} tokens of {corpus.corpus}."
