"""The page of a maximisation: ``report.html`` and what a notebook shows.

This module is the renderer of ``actmax.maximize/1`` (see :mod:`actmax.results.rendering`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from actmax.report import maximize_plots as figures
from actmax.report.along import alongs_of, drawn, found_text, full_scale, reading
from actmax.report.conclusion import conclusion, random_best
from actmax.report.numbers import count, number, percent, seconds
from actmax.report.page import Column, Stat, pairs, render
from actmax.report.tokens import token_strip
from actmax.results.maximize import MaximizeResult
from actmax.results.plain import to_plain
from actmax.results.run import CorpusMaximum, NearToken, Run

MOST_RUNS, MOST_POSITIONS, MOST_CANDIDATES = 50, 64, 50
"""Rows of the page's tables; ``result.json`` holds all."""


@dataclass(frozen=True)
class ShownRun:
    """A restart and its tokens."""

    run: Run
    drawing: Markup


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
    )
    full = full_scale(alongs_of(result))
    best = result.best_run
    return {
        "result": result,
        "conclusion": conclusion(result),
        "notices": _notices(result),
        "stats": _stats(result),
        "columns": _columns(result),
        "runs": [ShownRun(run, _tokens(run, full)) for run in runs[:most_runs]],
        "best_drawing": None if best.along is None else drawn(best.along, best.text, full),
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
    return token_strip(run.tokens) if run.along is None else drawn(run.along, run.text, full)


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
    of = f"restart {best.restart}, the best of {count(len(result.runs))}"
    stats: list[Stat] = []
    if result.is_soft:
        stats.append(Stat("Soft vectors", number(best.activation_final), f"what free vectors reach ({of})"))
        stats.append(
            Stat("Nearest tokens", number(best.activation_of_ids), "what the model gives on their tokens")
        )
    else:
        stats.append(
            Stat("Best tokens", number(best.activation_of_ids), f"what the model gives on them ({of})")
        )
    again = "the same ids" if best.retokenizes else "other ids"
    stats.append(
        Stat("Their text", number(best.activation_of_text), f"written out and tokenised again ({again})")
    )
    if random is not None:
        top = random_best(random, minimize=result.minimize)
        stats.append(
            Stat(
                "Random tokens",
                number(random.mean),
                f"mean of {count(random.n)} sequences; the best gives {number(top)}",
            )
        )
    stats.append(_in_real_text(result, corpus))
    stats.append(
        Stat(
            "Cross-entropy",
            number(best.cross_entropy),
            "nats per token: how surprised the model is by the text",
        )
    )
    return stats


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


def _columns(result: MaximizeResult) -> list[Column]:
    final = "soft optimum" if result.is_soft else "best"
    each = [Column("position", "that was read, counted from 0 after the prefix")]
    return [
        Column("restart", "number of the restart"),
        *(each if result.positions == "each" else []),
        Column("start", "activation before the search"),
        Column(final, "activation after the search"),
        Column("tokens", "activation that the model gives on the tokens at the right"),
        Column("text again", "activation on their text, tokenised again"),
        Column("same ids", "whether the text is tokenised into the same ids", numeric=False),
        Column("cross-entropy", "nats per token of the text under the same model"),
        Column("nearest tokens", "one box a token", numeric=False)
        if result.is_soft
        else Column("tokens found", "coloured by the unit at each token", numeric=False),
    ]


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
