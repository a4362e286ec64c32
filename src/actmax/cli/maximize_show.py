"""What ``actmax maximize`` says on the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from actmax.cli.options import console

if TYPE_CHECKING:
    from actmax.results.compare import CompareResult
    from actmax.results.maximize import MaximizeResult
    from actmax.results.run import CorpusMaximum


def tell(result: MaximizeResult, *, quiet: bool) -> None:
    """The runs as a table and the conclusion as a sentence."""
    from rich.table import Table
    from rich.text import Text

    from actmax.report.conclusion import conclusion
    from actmax.report.numbers import number
    from actmax.report.tokens import visible

    screen = console(json=False, quiet=quiet)
    verb = "minimise" if result.minimize else "maximise"
    screen.print(f"{verb} {result.objective} of {result.model}, {result.method}", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    soft, each = result.is_soft, result.positions == "each"
    titles = ["position" if each else "restart", "start", "reached"]
    titles += ["best cosine", "on these tokens", "nearest tokens"] if soft else ["nats", "tokens"]
    for title in titles:
        table.add_column(title, justify="left" if title == titles[-1] else "right", overflow="fold")
    for run in result.runs:
        best = " *" if run.restart == result.best.restart else ""
        table.add_row(
            f"{run.position if each else run.restart}{best}",
            number(run.activation_initial),
            number(run.activation_final),
            *(
                (number(max(run.cosine)), number(run.activation_of_ids))
                if soft
                else (number(run.cross_entropy),)
            ),
            Text(" ".join(visible(token) for token in run.tokens)),
        )
    screen.print(table)
    for run in result.runs:
        if run.stopped:
            screen.print(f"Restart {run.restart} {run.stopped}.", markup=False)
    screen.print()
    screen.print(conclusion(result), markup=False)
    screen.print(_in_text(result.corpus_maximum), markup=False)


def tell_comparison(result: CompareResult, *, quiet: bool) -> None:
    """The methods beside one another, and the conclusion."""
    from rich.table import Table

    from actmax.report.compare import conclusion
    from actmax.report.numbers import number
    from actmax.results.compare import reached

    screen = console(json=False, quiet=quiet)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("method", "tokens give", "of real text", "nats", "sequences", "forward", "backward", "s"):
        table.add_column(title, justify="left" if title == "method" else "right")
    for one in result.results:
        ratio = result.ratio(reached(one))
        cost = one.cost
        table.add_row(
            f"{one.method}{' *' if one is result.best else ''}",
            number(reached(one)),
            f"{ratio:.2f} x" if math.isfinite(ratio) else "",
            number(one.best_run.cross_entropy),
            str(cost.sequences_scored),
            str(cost.forward_tokens),
            str(cost.backward_tokens),
            f"{cost.seconds:.1f}",
        )
    screen.print()
    screen.print(table)
    for failed in result.failed:
        screen.print(f"{failed.method} has no result: {failed.why}", markup=False)
    screen.print()
    screen.print(conclusion(result), markup=False)
    screen.print(_in_text(result.corpus_maximum), markup=False)


def _in_text(corpus: CorpusMaximum | None) -> str:
    from actmax.report.numbers import count, number

    if corpus is None:
        return "In real text: not measured; name a corpus with --corpus, for example wikipedia-excerpt."
    return (
        f"In real text: {number(corpus.value)}, the best in {count(corpus.n_tokens)} tokens of "
        f"{corpus.corpus} (SHA-256 of the text {corpus.sha256[:12]})."
    )
