"""The page of an investigation; renderer of ``actmax.investigate/1``."""

from __future__ import annotations

from actmax.numbers import count, number, percent, seconds
from actmax.report.check import drawn, interrupted
from actmax.report.finding import described, plots, styled
from actmax.report.page import Stat, pairs, render
from actmax.results.investigate import InvestigateResult
from actmax.results.plain import to_plain


def page(result: InvestigateResult) -> str:
    """The whole of ``report.html``."""
    settings = to_plain(result.settings) | {"random units": list(result.others)}
    manifest = {key: value for key, value in result.manifest.to_json().items() if key != "command"}
    return render(
        "investigate.html.j2",
        result=result,
        notices=interrupted(complete=result.complete),
        stats=_stats(result),
        figures=plots(result.pictures, "i"),
        again=plots(result.reproduced.pictures, "r") if result.reproduced else [],
        parts=drawn(result.checks),
        styled=styled,
        methods=described(result.methods),
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
    made = []
    if result.seen is not None:
        n = count(result.seen.count)
        made.append(
            Stat("Corpus maximum", number(result.seen.max), f"the largest of {n} positions of real text")
        )
        made.append(
            Stat(
                "Usual value",
                number(result.seen.mean),
                f"mean of {n} positions, standard deviation {number(result.seen.std)}; above zero at"
                f" {percent(result.seen.density)}",
            )
        )
    if result.soft is not None:
        made.append(
            Stat(
                "Soft optimum",
                number(result.soft.activation),
                f"the best of {result.soft.runs} runs on free vectors{_after(result.soft.steps)}",
            )
        )
        made.append(
            Stat(
                "On its nearest tokens",
                number(result.soft.on_tokens),
                "what the model gives on what it decodes to",
            )
        )
    if result.texts:
        best = result.texts[0]
        made.append(
            Stat("Best text found", number(best.activation), f"at its strongest position; {best.source}")
        )
    return made


def _after(steps: int) -> str:
    return f" after {count(steps)} steps" if steps else ""
