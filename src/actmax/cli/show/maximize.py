"""What ``actmax maximize`` says on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actmax.cli.show.tables import shown_table
from actmax.cli.terminal import console

if TYPE_CHECKING:
    from actmax.results.compare import CompareResult
    from actmax.results.maximize import MaximizeResult
    from actmax.results.run import CorpusMaximum

_PAGE_ONLY = ("activation_of_text", "retokenizes", "overtakes_after")
"""Columns of a comparison that a terminal has no room for."""


def tell(result: MaximizeResult, *, quiet: bool) -> None:
    """The runs as a table and the conclusion as a sentence."""
    from actmax.results.shown import columns_shown

    screen = console(json=False, quiet=quiet)
    verb = "minimise" if result.minimize else "maximise"
    screen.print(f"{verb} {result.objective} of {result.model}, {result.method}", markup=False)
    marked = [k for k, run in enumerate(result.runs) if run.restart == result.best.restart]
    each = ("restart",) if result.positions == "each" else ()
    columns = columns_shown(result.runs, "terminal", without=each)
    screen.print(shown_table(columns, marked))
    for run in result.runs:
        if run.stopped:
            screen.print(f"Restart {run.restart} {run.stopped}.", markup=False)
    screen.print()
    screen.print(" ".join(result.conclusion), markup=False)
    screen.print(_in_text(result.corpus_maximum), markup=False)


def tell_comparison(result: CompareResult, *, quiet: bool) -> None:
    """The methods beside one another, and the conclusion."""
    screen = console(json=False, quiet=quiet)
    columns = [column for column in result.table() if column.name not in _PAGE_ONLY]
    screen.print()
    screen.print(shown_table(columns, marked=[0]))
    for failed in result.failed:
        screen.print(f"{failed.method} has no result: {failed.why}", markup=False)
    screen.print()
    screen.print(" ".join(result.conclusion), markup=False)
    screen.print(_in_text(result.corpus_maximum), markup=False)


def _in_text(corpus: CorpusMaximum | None) -> str:
    from actmax.numbers import count, number

    if corpus is None:
        return "In real text: not measured; name a corpus with --corpus, for example wikipedia-excerpt."
    return (
        f"In real text: {number(corpus.value)}, the best in {count(corpus.n_tokens)} tokens of "
        f"{corpus.corpus} (SHA-256 of the text {corpus.sha256[:12]})."
    )
