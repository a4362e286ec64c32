"""The page of the four assumptions; renderer of ``actmax.check/1``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actmax.report.finding import methods, plots, styled
from actmax.report.page import Plot, pairs, render
from actmax.results.check import CheckResult
from actmax.results.finding import Check
from actmax.results.plain import to_plain

METHODS = ("one-feature", "importance", "continuity", "readability", "shuffled", "verdicts")


@dataclass(frozen=True)
class Part:
    """One check with its drawn figures."""

    check: Check
    figures: list[Plot]


def parts(checks: Sequence[Check]) -> list[Part]:
    """Checks with their figures."""
    return [Part(check, plots(check.pictures, f"c{k}-")) for k, check in enumerate(checks)]


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
        lead=lead(result.checks),
        notices=notices(result.checks, shuffled=result.shuffled, complete=result.complete),
        parts=parts(result.checks),
        styled=styled,
        methods=methods(METHODS),
        settings=pairs(settings),
        manifest=pairs(manifest),
    )


def summary(result: CheckResult) -> str:
    """A piece of HTML for a notebook's cell."""
    figures = [plot for part in parts(result.checks) for plot in part.figures[-1:]]
    return render("findings_summary.html.j2", lead=f"{result.unit}: {lead(result.checks)}", figures=figures)


def lead(checks: Sequence[Check]) -> str:
    """All answers in one sentence."""
    said = "; ".join(f"{check.assumption.lower()}: {check.answer} ({check.standing})" for check in checks)
    return f"{said[0].upper()}{said[1:]}." if said else "Nothing was finished."


def notices(checks: Sequence[Check], *, shuffled: bool, complete: bool) -> list[str]:
    """What a reader has to know before the numbers, where no conclusion says it."""
    found = []
    if not complete:
        found.append("It was interrupted: only what had been finished is shown.")
    survive = [check.assumption.lower() for check in checks if check.standing == "survives shuffling"]
    if survive:
        found.append(
            f"A copy of the model with shuffled weights gives as much for: {', '.join(survive)}. Those"
            " numbers say nothing about the learned unit."
        )
    if not shuffled and complete:
        found.append(
            "The copy with shuffled weights was left out, so nothing is known of what survives there."
        )
    return found
