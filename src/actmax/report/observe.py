"""The page of an observation: ``report.html`` and what a notebook shows.

This module is the renderer of ``actmax.observe/1`` (see :mod:`actmax.results.rendering`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from actmax.legible import legible
from actmax.numbers import count, number, percent, seconds
from actmax.observation.observation import Example, UnitObservation, Winner
from actmax.observation.result import ObserveResult
from actmax.report.heat import heat
from actmax.report.observe_plots import histogram
from actmax.report.page import MOST_BYTES, Plot, Stat, pairs, render
from actmax.results.plain import to_plain

WINNERS = 10
_SIZES = (20, 12, 8, 5, 3, 2, 1)
"""Examples at either end that a page tries to show; the fewer, the more units there are."""


@dataclass(frozen=True)
class Shown:
    """One example on the page."""

    activation: float
    text: Markup
    source: str


@dataclass(frozen=True)
class Level:
    """One quantile on the page."""

    name: str
    value: float
    examples: tuple[Shown, ...]


@dataclass(frozen=True)
class Part:
    """One unit on the page."""

    unit: UnitObservation
    conclusion: str
    stats: list[Stat]
    figure: Plot | None
    top: tuple[Shown, ...]
    bottom: tuple[Shown, ...]
    levels: tuple[Level, ...]
    winners: tuple[Winner, ...]
    losers: tuple[Winner, ...]


def page(result: ObserveResult) -> str:
    """The whole of ``report.html``: with fewer examples where there would be more than fit into 2 MB."""
    figures = [histogram(unit, f"h{k}") for k, unit in enumerate(result.units)]
    one = replace(result, units=result.units[:1])
    for size in _SIZES:
        if len(result.units) > 1 and len(_page(one, size, figures)) * len(result.units) > 1.5 * MOST_BYTES:
            continue  # far too much: do not even try
        text = _page(result, size, figures)
        if len(text.encode()) < MOST_BYTES:
            return text
    return _page(result, _SIZES[-1], figures)


def summary(result: ObserveResult) -> str:
    """A piece of HTML for a notebook's cell: each unit's sentence and five strongest examples."""
    return render("observe_summary.html.j2", **_context(result, 5, [None] * len(result.units)))


def _page(result: ObserveResult, size: int, figures: Sequence[Plot]) -> str:
    return render("observe.html.j2", **_context(result, size, figures))


def _context(result: ObserveResult, size: int, figures: Sequence[Plot | None]) -> dict[str, Any]:
    asked = max((max(len(unit.top), len(unit.bottom)) for unit in result.units), default=0)
    return {
        "result": result,
        "parts": [_part(result, unit, size, figures[k]) for k, unit in enumerate(result.units)],
        "notices": _notices(result),
        "fewer": size if size < asked else None,
        "settings": pairs(to_plain(result.settings)),
        "corpus": pairs({key: value for key, value in to_plain(result.corpus).items() if key != "skipped"}),
        "manifest": pairs(
            {key: value for key, value in result.manifest.to_json().items() if key != "command"}
        ),
        "took": f"{count(result.cost.tokens)} tokens in {seconds(result.cost.seconds)}",
    }


def _part(result: ObserveResult, unit: UnitObservation, size: int, figure: Plot | None) -> Part:
    full = max(abs(unit.min), abs(unit.max))

    def shown(examples: tuple[Example, ...], most: int = size) -> tuple[Shown, ...]:
        return tuple(
            Shown(
                example.activation,
                heat(example.tokens, example.values, example.peak, full),
                example.document_name,
            )
            for example in examples[:most]
        )

    return Part(
        unit=unit,
        conclusion=conclusion(result, unit),
        stats=_stats(unit),
        figure=figure,
        top=shown(unit.top),
        bottom=shown(unit.bottom),
        levels=tuple(
            Level(_level(level.quantile), level.value, shown(level.examples, 2 if size > 3 else 1))
            for level in reversed(unit.quantiles)
        ),
        winners=unit.top_tokens[:WINNERS],
        losers=unit.bottom_tokens[:WINNERS],
    )


def conclusion(result: ObserveResult, unit: UnitObservation) -> str:
    """One or two sentences that say what was seen."""
    of = f"In {count(unit.count)} tokens of {result.corpus.name}"
    if not unit.top:
        return f"{of} there is no example."
    high, low = unit.top[0], unit.bottom[0]
    said = (
        f"{of} this unit goes from {number(unit.min)} (at {_quoted(low.token)})"
        f" to {number(unit.max)} (at {_quoted(high.token)})."
    )
    inner = {level.quantile: level.value for level in unit.quantiles}
    if 0.25 in inner and 0.75 in inner:
        said += f" At half of them it stays between {number(inner[0.25])} and {number(inner[0.75])}."
    return said


def _quoted(token: str) -> str:
    return f"“{legible(token.strip(' ')) or '·'}”"


def _stats(unit: UnitObservation) -> list[Stat]:
    out = unit.excluded
    return [
        Stat("Largest", number(unit.max), "the activation of the first example below"),
        Stat("Smallest", number(unit.min), "the other end; units speak with both signs"),
        Stat("Mean", number(unit.mean), f"standard deviation {number(unit.std)}"),
        Stat("Above zero", percent(unit.density), f"of {count(unit.count)} positions"),
        Stat(
            "Left out",
            percent(out.position_0.share + out.sinks.share),
            f"position 0 ({percent(out.position_0.share)}) and sinks ({percent(out.sinks.share)})",
        ),
    ]


def _level(quantile: float) -> str:
    if quantile == 0.5:
        return "median"
    above = quantile > 0.5
    share = 100 * (1 - quantile if above else quantile)
    return f"{'highest' if above else 'lowest'} {share:.3g} %"


def _notices(result: ObserveResult) -> list[str]:
    found = []
    if not result.complete:
        found.append("The reading was stopped: what follows is about the part of the text read until then.")
    if result.corpus.skipped:
        found.append(f"Not all of the corpus could be read: {'; '.join(result.corpus.skipped)}.")
    if result.settings.include_sinks:
        found.append("Sinks and position 0 were kept, as asked; their values can dwarf all others.")
    wanted = result.settings.top
    if any(len(unit.top) < wanted for unit in result.units) and not result.settings.all_examples:
        found.append(
            f"There are fewer than {wanted} examples, as each document gives one;"
            " --all-examples shows all of them."
        )
    return found
