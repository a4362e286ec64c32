"""What ``actmax observe`` shows on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from actmax.legible import legible, visible
from actmax.numbers import count, number, percent, seconds
from actmax.results.observe import ObserveResult
from actmax.results.observed_unit import CorpusExample, UnitObservation
from actmax.results.shown import columns_shown

_BEFORE, _AFTER = 44, 22
"""Characters of context in the terminal; the page and result.json hold all of it."""
_LINES = 10
_WINNERS = 8


def show_observed(result: ObserveResult, screen: Console) -> None:
    """Write the result as tables; control characters are shown, never sent."""

    read = result.corpus
    speed = f", {read.tokens / result.cost.seconds:,.0f} tokens/s" if result.cost.seconds > 0 else ""
    screen.print(
        escape(
            f"{legible(result.model)} on {count(read.tokens)} of {count(read.corpus_tokens)} tokens of"
            f" {legible(read.name)}, {count(read.documents)} documents"
            f" ({seconds(result.cost.seconds)}{speed})"
        )
    )
    for phrase in read.skipped:
        screen.print(escape(legible(phrase)), style="yellow")
    for unit in result.units:
        _show_unit(unit, screen)
    if not result.settings.all_examples:
        screen.print("Each document gives one example; use --all-examples to show all.", style="dim")
    if read.attribution:
        screen.print(escape(legible(read.attribution) + "."), style="dim")


def _show_unit(unit: UnitObservation, screen: Console) -> None:

    screen.print()
    screen.print(f"[bold]{escape(unit.unit)}[/bold]")
    numbers = columns_shown([unit], "terminal")
    screen.print(escape(", ".join(f"{column.label} {column.texts[0]}" for column in numbers)))
    left = unit.excluded
    screen.print(
        f"left out: position 0 ({percent(left.position_0.share)}), sinks ({percent(left.sinks.share)})",
        style="dim",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("activation", justify="right", no_wrap=True)
    table.add_column("text", no_wrap=True, overflow="ellipsis", ratio=1)
    for example in unit.top[:_LINES]:
        table.add_row(number(example.activation), _line(example, plain=not screen.is_terminal))
    if unit.bottom:
        table.add_section()
        table.add_row("…", "")
        for example in reversed(unit.bottom[: _LINES // 2]):
            table.add_row(number(example.activation), _line(example, plain=not screen.is_terminal))
    screen.print(table)
    _show_winners(unit, screen)


def _show_winners(unit: UnitObservation, screen: Console) -> None:

    for label, winners in (("largest", unit.top_tokens), ("smallest", unit.bottom_tokens)):
        line = Text(f"{label} in {count(unit.windows)} windows at: ", style="dim")
        for place, winner in enumerate(winners[:_WINNERS]):
            line.append(", " if place else "", style="dim")
            line.append(visible(winner.token), style="not dim")
            line.append(f" {percent(winner.share)}", style="dim")
        screen.print(line)


def _line(example: CorpusExample, *, plain: bool) -> Text:
    """One example on one line, the token in reverse, or between marks where there are no colours."""

    before, after = example.text_before[-_BEFORE:], example.text_after[:_AFTER]
    line = Text(legible(before).rjust(_BEFORE)[-_BEFORE:])
    line.append(f"‹{visible(example.token)}›" if plain else visible(example.token), style="reverse")
    line.append(legible(after))
    return line
