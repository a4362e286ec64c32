"""The page of a comparison: several methods on one unit; renderer of ``actmax.compare/1``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from actmax.report import compare_plots as figures
from actmax.report.along import FoundText, alongs_of, drawn, found_text, full_scale, reading
from actmax.report.budget import reached_after
from actmax.report.numbers import count, number, seconds
from actmax.report.page import Column, Stat, pairs, render
from actmax.report.tokens import LONGEST, visible
from actmax.results.compare import CompareResult, reached
from actmax.results.maximize import MaximizeResult
from actmax.results.plain import to_plain
from actmax.results.run import Candidate

MOST_TEXTS = 40
"""Rows of the table of likely texts; ``result.json`` holds all."""


@dataclass(frozen=True)
class Row:
    """One method."""

    method: str
    colour: str
    best: bool
    activation: float
    ratio: str
    of_text: float
    retokenizes: bool
    cross_entropy: float
    caught_up: str
    """Sequences it took to reach what the others reached."""
    sequences: int
    forward: int
    backward: int
    seconds: str
    vectors: float
    """What a soft method's vectors reach; NaN for others."""
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
    order = sorted(range(len(result.results)), key=lambda k: _worse(result, result.results[k]))
    return {
        "result": result,
        "first": first,
        "conclusion": conclusion(result),
        "notices": _notices(result),
        "stats": _stats(result),
        "columns": _columns(result),
        "rows": [_row(result, k, full) for k in order],
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


def conclusion(result: CompareResult) -> str:
    """One or two sentences: which method found the most, and what that is beside real text."""
    best = result.best
    value, n = reached(best), len(result.results)
    if not math.isfinite(value):
        return "No method gave a finite activation: nothing was found."
    text = visible(best.best.text[:LONGEST]) + ("…" if len(best.best.text) > LONGEST else "")
    end = "lowest" if best.minimize else "highest"
    said = f"Of {count(n)} methods {best.method} gets {end}: “{text}” gives {number(value)}"
    corpus, ratio = result.corpus_maximum, result.ratio(value)
    if corpus is not None and math.isfinite(ratio):
        said += (
            f", {number(ratio)} times the {'smallest' if best.minimize else 'largest'} in "
            f"{count(corpus.n_tokens)} tokens of {corpus.corpus} ({number(corpus.value)})"
        )
    others = [one for one in result.results if one is not best and math.isfinite(reached(one))]
    if others:
        others.sort(key=lambda one: _worse(result, one))
        rest = ", ".join(f"{one.method} {number(reached(one))}" for one in others)
        said += f"; {rest}"
    return f"{said}. This is one seed on one unit: another seed may change the order."


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


def _worse(result: CompareResult, one: MaximizeResult) -> float:
    value = reached(one) * (1.0 if one.minimize else -1.0)
    return value if math.isfinite(value) else math.inf


def _row(result: CompareResult, k: int, full: float) -> Row:
    one = result.results[k]
    run, cost = one.best_run, one.cost
    ratio = result.ratio(reached(one))
    return Row(
        method=one.method,
        colour=figures.colour_of(k),
        best=one is result.best,
        activation=reached(one),
        ratio=f"{ratio:.2f} ×".replace("-", "−") if math.isfinite(ratio) else "–",
        of_text=run.activation_of_text,
        retokenizes=run.retokenizes,
        cross_entropy=run.cross_entropy,
        caught_up=_caught_up(result, one),
        sequences=cost.sequences_scored,
        forward=cost.forward_tokens,
        backward=cost.backward_tokens,
        seconds=seconds(cost.seconds),
        vectors=run.activation_final if one.is_soft else math.nan,
        drawing=drawn(run.along, run.text, full),
    )


def _caught_up(result: CompareResult, one: MaximizeResult) -> str:
    """Sequences until it was as good as the best of all the other token methods at their end."""
    others = [reached(other) for other in result.results if other is not one and not other.is_soft]
    others = [value for value in others if math.isfinite(value)]
    if one.is_soft or not others:
        return "–"
    at = reached_after(one, (min if one.minimize else max)(others))
    return "–" if at is None else count(at)


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
    best, corpus = result.best, result.corpus_maximum
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


def _columns(result: CompareResult) -> list[Column]:
    soft = any(one.is_soft for one in result.results)
    columns = [
        Column("method", "its colour is that of the figures", numeric=False),
        Column("tokens give", "activation of the best tokens, run again alone"),
        Column("of real text", "as a multiple of the corpus maximum"),
        Column("text again", "activation of their text, tokenised anew; * where the ids are then others"),
        Column("nats", "cross-entropy per token of the text under the same model"),
        Column(
            "overtakes after",
            "sequences it had scored when it was as good as the best of the others at their end; – if never",
        ),
        Column("sequences", "scored, also those that a gradient was taken of"),
        Column("forward", "tokens run forward; what rows share is run once and counts once"),
        Column("backward", "tokens that a gradient was taken of"),
        Column("time", "wall clock of the search, without reading the corpus"),
    ]
    if soft:
        columns.insert(2, Column("vectors reach", "activation of the optimised vectors, which no text gives"))
    return columns
