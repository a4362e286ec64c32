"""The page of a comparison: several methods on one unit; renderer of ``actmax.compare/1``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from actmax.legible import legible
from actmax.numbers import count, number
from actmax.report import compare_plots as figures
from actmax.report.along import FoundText, alongs_of, drawn_text, found_text, full_scale, reading
from actmax.report.page import Stat, drawn_column, pairs, render
from actmax.results.compare import CompareResult, reached
from actmax.results.maximize import MaximizeResult
from actmax.results.plain import to_plain
from actmax.results.run import Candidate
from actmax.results.shown import ShownColumn

MOST_TEXTS = 40
"""Rows of the table of likely texts; ``result.json`` holds all."""


@dataclass(frozen=True)
class MethodText:
    """The best text of one method."""

    method: str
    colour: str
    activation: float
    drawing: Markup


def page(result: CompareResult) -> str:
    """The whole of ``report.html``."""
    made = [figures.budget(result), figures.frontiers(result)]
    return render("compare.html.j2", **_context(result), figures=[plot for plot in made if plot is not None])


def summary(result: CompareResult) -> str:
    """A piece of HTML for a notebook's cell: the conclusion, the curves and the methods."""
    made = [figures.budget(result)]
    return render(
        "compare_summary.html.j2", **_context(result), figures=[plot for plot in made if plot is not None]
    )


def _context(result: CompareResult) -> dict[str, Any]:
    first = result.results[0]
    full = full_scale(row for one in result.results for row in alongs_of(one))
    manifest = {key: value for key, value in result.manifest.to_json().items() if key != "command"}
    return {
        "result": result,
        "first": first,
        "conclusion": " ".join(result.conclusion),
        "notices": _notices(result),
        "stats": _stats(result),
        "columns": _columns(result),
        "marked": 0,
        "texts": [_text(result, one, full) for one in result.ranked],
        "likely": likely(result, full)[:MOST_TEXTS],
        "solutions": [
            found_text(one, full, method=made.method, colour=figures.colour_of(k))
            for k, made in enumerate(result.results)
            for one in made.solutions
            if len(made.solutions) > 1
        ],
        "reading": reading(first.positions),
        "prefix": str(first.settings.get("prefix") or ""),
        "settings": [(one.method, pairs(to_plain(one.settings))) for one in result.results],
        "manifest": pairs(manifest),
    }


def likely(result: CompareResult, full: float) -> list[FoundText]:
    """The texts of all methods that none beats in both activation and likelihood, most active first."""
    sign = -1.0 if result.results[0].minimize else 1.0
    every: list[tuple[Candidate, int]] = [
        (one, k) for k, made in enumerate(result.results) for one in made.frontier
    ]
    every = [
        (one, k) for one, k in every if math.isfinite(one.activation) and math.isfinite(one.cross_entropy)
    ]
    every.sort(key=lambda pair: (-sign * pair[0].activation, pair[0].cross_entropy, pair[0].ids, pair[1]))
    kept: list[FoundText] = []
    least = math.inf
    for one, k in every:
        if one.cross_entropy < least:
            least = one.cross_entropy
            method = result.results[k].method
            kept.append(found_text(one, full, method=method, colour=figures.colour_of(k)))
    return kept


def _notices(result: CompareResult) -> list[str]:
    found = (
        [] if result.complete else ["The comparison was interrupted: methods may be missing or cut short."]
    )
    found += [f"{one.method} has no result: {one.why}" for one in result.failed]
    found += [
        f"{one.method}, restart {run.restart}: {run.stopped}."
        for one in result.results
        for run in one.runs[:3]
        if run.stopped
    ]
    return found[:10]


def _stats(result: CompareResult) -> list[Stat]:
    best, corpus = result.best_result, result.corpus_maximum
    value = reached(best)
    stats = [Stat("Best tokens", number(value), f"found by {best.method}")]
    if corpus is None:
        stats.append(Stat("In real text", "–", "not measured; name a corpus with --corpus"))
    else:
        share = result.ratio(value)
        if math.isfinite(share):
            stats.append(Stat("Ratio", f"{number(share)} ×", "of the best tokens to the best in real text"))
        stats.append(
            Stat(
                "In real text",
                number(corpus.value),
                f"best in {count(corpus.n_tokens)} tokens of {corpus.corpus} (text {corpus.sha256[:12]}…)",
            )
        )
    most = max(one.cost.sequences_scored for one in result.results)
    stats.append(Stat("Budget", count(most), "sequences that a method may score, at most"))
    return stats


def _columns(result: CompareResult) -> list[ShownColumn]:
    """The table of methods, each name with its colour in the figures."""
    name, *others = result.table()
    swatch = Markup('<i style="background:var({})"></i>{}')
    names = [swatch.format(_colour(result, one), legible(one.method)) for one in result.ranked]
    return [drawn_column(name, name.label, "its colour is that of the figures", names), *others]


def _text(result: CompareResult, one: MaximizeResult, full: float) -> MethodText:
    run = one.best_run
    return MethodText(one.method, _colour(result, one), reached(one), drawn_text(run.along, run.text, full))


def _colour(result: CompareResult, one: MaximizeResult) -> str:
    return figures.colour_of(next(k for k, other in enumerate(result.results) if other is one))
