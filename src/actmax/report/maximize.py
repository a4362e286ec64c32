"""The page of a maximisation: ``report.html`` and what a notebook shows.

This module is the renderer of ``actmax.maximize/1`` (see :mod:`actmax.results.rendering`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from actmax.numbers import count, number, percent, seconds
from actmax.report import maximize_plots as figures
from actmax.report.along import alongs_of, drawn_text, found_text, full_scale, reading
from actmax.report.page import Stat, drawn_column, pairs, render, stats_of
from actmax.report.tokens import token_strip
from actmax.results.maximize import MaximizeResult
from actmax.results.plain import to_plain
from actmax.results.run import CorpusMaximum, NearToken, Run
from actmax.results.shown import ShownColumn, columns_shown

MOST_RUNS, MOST_POSITIONS, MOST_CANDIDATES = 50, 64, 50
"""Rows of the page's tables; ``result.json`` holds all."""


@dataclass(frozen=True)
class Position:
    """One position of the best restart and the tokens nearest to its vector."""

    place: int
    drawing: Markup | None
    nearest: tuple[NearToken, ...]


def page(result: MaximizeResult) -> str:
    """The whole of ``report.html``."""
    return render(
        "maximize.html.j2", **_context(result), figures=_figures(result), positions=_positions(result)
    )


def summary(result: MaximizeResult) -> str:
    """A piece of HTML for a notebook's cell: the conclusion, two figures and the runs."""
    beside = figures.decoding_gap(result) or figures.frontier(result)
    shown = [figures.trajectory(result), *([] if beside is None else [beside])]
    return render("maximize_summary.html.j2", **_context(result, most_runs=5), figures=shown)


def _context(result: MaximizeResult, most_runs: int = MOST_RUNS) -> dict[str, Any]:
    each = result.positions == "each"
    runs = sorted(
        result.runs,
        key=lambda run: float(run.position or 0) if each else _order(run, minimize=result.minimize),
    )[:most_runs]
    full = full_scale(alongs_of(result))
    best = result.best_run
    return {
        "result": result,
        "conclusion": " ".join(result.conclusion),
        "notices": _notices(result),
        "stats": _stats(result),
        "columns": _columns(result, runs, full),
        "marked": next((k for k, run in enumerate(runs) if run is best), None),
        "best_drawing": None if best.along is None else drawn_text(best.along, best.text, full),
        "reading": reading(result.positions),
        "prefix": str(result.settings.get("prefix") or ""),
        "candidates": [found_text(one, full) for one in result.frontier[:MOST_CANDIDATES]],
        "solutions": [found_text(one, full) for one in result.solutions[:MOST_CANDIDATES]]
        if len(result.solutions) > 1
        else [],
        "settings": pairs(to_plain(result.settings)),
        "manifest": pairs(
            {key: value for key, value in result.manifest.to_json().items() if key != "command"}
        ),
        "took": _took(result),
    }


def _figures(result: MaximizeResult) -> list[Any]:
    made = [
        figures.decoding_gap(result),
        figures.trajectory(result),
        figures.gradient(result),
        figures.frontier(result),
        figures.isolation(result),
        figures.embedding_values(result),
        figures.heatmap(result),
    ]
    return [plot for plot in made if plot is not None]


def _tokens(run: Run, full: float) -> Markup:
    return token_strip(run.tokens) if run.along is None else drawn_text(run.along, run.text, full)


def _order(run: Run, *, minimize: bool) -> float:
    value = run.activation_final
    return math.inf if not math.isfinite(value) else value if minimize else -value


def _notices(result: MaximizeResult) -> list[str]:
    found = (
        [] if result.complete else ["The search was interrupted: what follows is what was done until then."]
    )
    found += [f"Restart {run.restart} stopped early: {run.stopped}" for run in result.runs if run.stopped]
    return found[:10]


def _stats(result: MaximizeResult) -> list[Stat]:
    best, random, corpus = result.best_run, result.random_tokens, result.corpus_maximum
    # What token methods optimise are the tokens, so their optimum is the next number again.
    stats = stats_of(best, without=() if result.is_soft else ("activation_final",))
    if random is not None:
        top = random.best(minimize=result.minimize)
        meaning = f"mean of {count(random.n)} sequences; the best gives {number(top)}"
        stats.append(Stat("Random tokens", number(random.mean), meaning))
    return [*stats, _in_real_text(result, corpus)]


def _in_real_text(result: MaximizeResult, corpus: CorpusMaximum | None) -> Stat:
    if corpus is None:
        return Stat("In real text", number(None), "not measured; name a corpus with --corpus")
    best = result.best_run
    meaning = f"best in {count(corpus.n_tokens)} tokens of {corpus.corpus} (text {corpus.sha256[:12]}…)"
    if result.is_soft and best.activation_final * corpus.value > 0:
        meaning += f"; the vectors reach {number(best.activation_final / corpus.value)} times that"
    if best.activation_of_ids * corpus.value > 0:
        tokens = "nearest" if result.is_soft else "best"
        meaning += f"; the {tokens} tokens give {percent(best.activation_of_ids / corpus.value)} of it"
    return Stat("In real text", number(corpus.value), meaning)


def _columns(result: MaximizeResult, runs: Sequence[Run], full: float) -> list[ShownColumn]:
    """The table of restarts, the tokens drawn and at the right."""
    columns = list(columns_shown(runs, "page"))
    tokens = next((column for column in columns if column.name == "tokens"), None)
    if tokens is None:
        return columns
    label, meaning = (
        ("nearest tokens", "one box per token")
        if result.is_soft
        else ("tokens found", "coloured by the unit at each token")
    )
    drawn_tokens = drawn_column(tokens, label, meaning, [_tokens(run, full) for run in runs])
    return [*(column for column in columns if column is not tokens), drawn_tokens]


def _positions(result: MaximizeResult) -> list[Position]:
    drawings: list[Markup | None] = list(figures.cosine_lines(result))
    nearest = result.best_run.top_tokens
    drawings += [None] * (len(nearest) - len(drawings))
    rows = enumerate(zip(drawings, nearest, strict=False))
    return [Position(place, drawing, near) for place, (drawing, near) in rows][:MOST_POSITIONS]


def _took(result: MaximizeResult) -> str:
    cost = result.cost
    parts = [seconds(cost.seconds), f"{count(cost.forward_tokens)} tokens forward"]
    if cost.backward_tokens:
        parts.append(f"{count(cost.backward_tokens)} backward")
    if cost.sequences_scored:
        parts.append(f"{count(cost.sequences_scored)} sequences scored")
    return ", ".join(parts)
