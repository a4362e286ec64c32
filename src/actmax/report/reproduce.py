"""The page of a reproduction; renderer of ``actmax.reproduce/1``."""

from __future__ import annotations

from collections.abc import Sequence

from actmax.report.finding import method_pages, plots
from actmax.report.page import drawn_column, pairs, render
from actmax.report.tokens import token_strip
from actmax.results.plain import to_plain
from actmax.results.reproduce import RepeatedRun, ReproduceResult
from actmax.results.shown import ShownColumn, columns_shown


def page(result: ReproduceResult) -> str:
    """The whole of ``report.html``."""
    settings = to_plain(result.settings) | {
        "unrelated units": list(result.unrelated),
        "seconds": round(result.seconds, 1),
    }
    notices = [] if result.complete else ["It was interrupted: the runs are shown as far as they got."]
    manifest = {key: value for key, value in result.manifest.to_json().items() if key != "command"}
    return render(
        "reproduce.html.j2",
        result=result,
        runs=_runs(result.runs),
        notices=notices,
        figures=plots(result.pictures, "r"),
        methods=method_pages(result.methods),
        settings=pairs(settings),
        manifest=pairs(manifest),
    )


def summary(result: ReproduceResult) -> str:
    """A piece of HTML for a notebook's cell."""
    return render(
        "findings_summary.html.j2",
        lead=f"{result.unit}: {result.verdict}. {' '.join(result.conclusion)}",
        figures=plots(result.pictures, "r"),
    )


def _runs(runs: Sequence[RepeatedRun]) -> list[ShownColumn]:
    """The table of runs, with their tokens as strips."""
    strips = [token_strip(run.tokens) for run in runs]
    return [
        drawn_column(column, column.label, column.meaning, strips) if column.name == "tokens" else column
        for column in columns_shown(runs, "page")
    ]
