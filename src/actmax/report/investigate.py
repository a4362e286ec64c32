"""The page of an investigation; renderer of ``actmax.investigate/1``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import escape

from actmax.numbers import seconds
from actmax.report.check import drawn, interrupted
from actmax.report.finding import method_pages, plots
from actmax.report.page import Stat, drawn_column, pairs, render, stats_of
from actmax.report.tokens import token
from actmax.results.investigate import InvestigateResult, TextFound
from actmax.results.plain import to_plain
from actmax.results.shown import ShownColumn, columns_shown

MOST_TEXTS = 12
"""Rows of the table of texts; ``result.json`` holds all."""


def page(result: InvestigateResult) -> str:
    """The whole of ``report.html``."""
    settings = to_plain(result.settings) | {"random units": list(result.others)}
    manifest = {key: value for key, value in result.manifest.to_json().items() if key != "command"}
    return render(
        "investigate.html.j2",
        result=result,
        notices=interrupted(complete=result.complete),
        stats=_stats(result),
        texts=_texts(result.texts[:MOST_TEXTS]),
        figures=plots(result.pictures, "i"),
        again=plots(result.reproduced.pictures, "r") if result.reproduced else [],
        parts=drawn(result.checks),
        methods=method_pages(result.methods),
        took=seconds(result.seconds),
        settings=pairs(settings),
        manifest=pairs(manifest),
    )


def summary(result: InvestigateResult) -> str:
    """A piece of HTML for a notebook's cell."""
    return render(
        "findings_summary.html.j2", lead=" ".join(result.conclusion), figures=plots(result.pictures, "i")
    )


def _stats(result: InvestigateResult) -> list[Stat]:
    made = [] if result.seen is None else stats_of(result.seen)
    made += [] if result.soft is None else stats_of(result.soft)
    for best in result.texts[:1]:
        made += [replace(stat, label=f"Best text, found by {best.source}") for stat in stats_of(best)]
    return made


def _texts(texts: Sequence[TextFound]) -> list[ShownColumn]:
    """The table of texts, with their invisible characters made visible."""
    drawings = {
        "source": [escape(one.source) for one in texts],
        "text": [token(one.text) for one in texts],
    }
    return [
        drawn_column(column, column.label, column.meaning, drawings[column.name])
        if column.name in drawings
        else column
        for column in columns_shown(texts, "page")
    ]
