"""The page of a reproduction; renderer of ``actmax.reproduce/1``."""

from __future__ import annotations

from actmax.report.finding import described, plots, styled
from actmax.report.page import pairs, render
from actmax.results.plain import to_plain
from actmax.results.reproduce import ReproduceResult


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
        notices=notices,
        figures=plots(result.pictures, "r"),
        styled=styled,
        methods=described(result.methods),
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
