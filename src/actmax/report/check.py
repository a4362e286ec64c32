"""The page of the checked assumptions; renderer of ``actmax.check/1``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actmax.report.finding import method_pages, plots
from actmax.report.page import Plot, pairs, render
from actmax.results.check import CheckResult
from actmax.results.finding import Check
from actmax.results.plain import to_plain


@dataclass(frozen=True)
class DrawnCheck:
    """One check with its drawn figures."""

    check: Check
    figures: list[Plot]


def drawn(checks: Sequence[Check]) -> list[DrawnCheck]:
    """Checks with their figures."""
    return [DrawnCheck(check, plots(check.pictures, f"c{k}-")) for k, check in enumerate(checks)]


def page(result: CheckResult) -> str:
    """The whole of ``report.html``."""
    settings = to_plain(result.settings) | {
        "random units": list(result.others),
        "seconds": round(result.seconds, 1),
    }
    manifest = {key: value for key, value in result.manifest.to_json().items() if key != "command"}
    return render(
        "check.html.j2",
        result=result,
        lead=lead(result),
        notices=interrupted(complete=result.complete),
        parts=drawn(result.checks),
        methods=method_pages(result.methods),
        settings=pairs(settings),
        manifest=pairs(manifest),
    )


def summary(result: CheckResult) -> str:
    """A piece of HTML for a notebook's cell."""
    figures = [plot for part in drawn(result.checks) for plot in part.figures[-1:]]
    return render("findings_summary.html.j2", lead=f"{result.unit}: {lead(result)}", figures=figures)


def lead(result: CheckResult) -> str:
    """The conclusion, or as many answers as there are."""
    if result.conclusion:
        return " ".join(result.conclusion)
    said = "; ".join(f"{one.assumption.lower()}: {one.answer} ({one.standing})" for one in result.checks)
    return f"{said[0].upper()}{said[1:]}." if said else "No check was finished."


def interrupted(*, complete: bool) -> list[str]:
    """The notice of an interruption, where there was one."""
    return [] if complete else ["It was interrupted: only what had been finished is shown."]
