"""The page of an observation: ``report.html`` and what a notebook shows.

This module is the renderer of ``actmax.observe/1`` (see :mod:`actmax.results.rendering`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from actmax.numbers import count, percent, seconds
from actmax.report.heat import heat
from actmax.report.observe_plots import histogram
from actmax.report.page import MOST_BYTES, Plot, Stat, pairs, render, stats_of
from actmax.results.observe import ObserveResult
from actmax.results.observed_unit import CorpusExample, UnitObservation, WinningToken
from actmax.results.plain import to_plain

WINNERS = 10
_SIZES = (20, 12, 8, 5, 3, 2, 1)
"""Examples at either end that a page tries to show; the fewer, the more units there are."""


@dataclass(frozen=True)
class ShownExample:
    """One example on the page."""

    activation: float
    text: Markup
    source: str


@dataclass(frozen=True)
class ShownQuantile:
    """One quantile on the page."""

    name: str
    value: float
    examples: tuple[ShownExample, ...]


@dataclass(frozen=True)
class ObservedPart:
    """One unit on the page."""

    unit: UnitObservation
    conclusion: str
    stats: list[Stat]
    figure: Plot | None
    top: tuple[ShownExample, ...]
    bottom: tuple[ShownExample, ...]
    levels: tuple[ShownQuantile, ...]
    winners: tuple[WinningToken, ...]
    losers: tuple[WinningToken, ...]


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
        "parts": [_part(result, k, size, figures[k]) for k in range(len(result.units))],
        "notices": _notices(result),
        "fewer": size if size < asked else None,
        "settings": pairs(to_plain(result.settings)),
        "corpus": pairs({key: value for key, value in to_plain(result.corpus).items() if key != "skipped"}),
        "manifest": pairs(
            {key: value for key, value in result.manifest.to_json().items() if key != "command"}
        ),
        "took": f"{count(result.cost.tokens)} tokens in {seconds(result.cost.seconds)}",
    }


def _part(result: ObserveResult, k: int, size: int, figure: Plot | None) -> ObservedPart:
    unit = result.units[k]
    full = max(abs(unit.min), abs(unit.max))

    def shown(examples: tuple[CorpusExample, ...], most: int = size) -> tuple[ShownExample, ...]:
        return tuple(
            ShownExample(
                example.activation,
                heat(example.tokens, example.values, example.peak, full),
                example.document_name,
            )
            for example in examples[:most]
        )

    return ObservedPart(
        unit=unit,
        conclusion=result.conclusion[k],
        stats=_stats(unit),
        figure=figure,
        top=shown(unit.top),
        bottom=shown(unit.bottom),
        levels=tuple(
            ShownQuantile(_level(level.quantile), level.value, shown(level.examples, 2 if size > 3 else 1))
            for level in reversed(unit.quantiles)
        ),
        winners=unit.top_tokens[:WINNERS],
        losers=unit.bottom_tokens[:WINNERS],
    )


def _stats(unit: UnitObservation) -> list[Stat]:
    out = unit.excluded
    share = percent(out.position_0.share + out.sinks.share)
    kinds = f"position 0 ({percent(out.position_0.share)}) and sinks ({percent(out.sinks.share)})"
    return [*stats_of(unit), Stat("Left out", share, kinds)]


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
