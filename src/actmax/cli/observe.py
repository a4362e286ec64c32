"""``actmax observe``: the strongest and the typical examples of units in real text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from actmax.cli.bars import stage_bar
from actmax.cli.options import (
    BosOption,
    ContextOption,
    CorpusOption,
    DeviceOption,
    DtypeOption,
    FieldOption,
    IncludeSinksOption,
    JsonOption,
    MaxTokensOption,
    ModelOption,
    OutOption,
    QuietOption,
    SeedOption,
    TopOption,
    WindowOption,
    console,
    emit_json,
    open_model,
)
from actmax.errors import ActmaxError, Interrupted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from actmax.results.observe import ObserveResult
    from actmax.results.observed_unit import CorpusExample, UnitObservation

_BEFORE, _AFTER = 44, 22
"""Characters of context in the terminal; the page and result.json hold all of it."""
_LINES = 10
_WINNERS = 8


def observe(
    units: Annotated[list[str], typer.Argument(metavar="UNIT...", help="Such as hidden_states.4:90.")],
    corpus: CorpusOption = ["wikipedia-excerpt"],  # noqa: B006 - typer reads it, nobody changes it
    top: TopOption = 20,
    context: ContextOption = 32,
    max_tokens: MaxTokensOption = 128_000,
    window: WindowOption = 128,
    field: FieldOption = "text",
    bos: BosOption = "auto",
    include_sinks: IncludeSinksOption = False,
    all_examples: Annotated[
        bool, typer.Option("--all-examples", help="Show more than one example a document and a context.")
    ] = False,
    neuronpedia: Annotated[
        bool, typer.Option("--neuronpedia", help="Also write OUT/neuronpedia in the layout of its importer.")
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what units respond to most in real text.

    \b
    Examples:
      actmax observe hidden_states.4:90
      actmax observe blocks.8.mlp.hook_post:1022 --corpus my-texts/ --max-tokens 0 --out runs/seen
      cat book.txt | actmax observe hidden_states.4:90 --corpus -
    """
    from actmax.inputs.bos import bos_policy
    from actmax.results.manifest import command_line
    from actmax.results.store import prepare_out

    policy = bos_policy(bos)
    if neuronpedia and out is None:
        raise ActmaxError("--neuronpedia writes files; say where with --out DIR.")
    folder = None if out is None else prepare_out(out)
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    from actmax.api.observe import observe as look

    with stage_bar(quiet=quiet, tokens_in="observing") as progress:
        result = look(
            opened,
            units,
            corpus=corpus,
            top=top,
            context=context,
            window=window,
            max_tokens=max_tokens or None,
            field=field,
            bos=policy,
            include_sinks=include_sinks,
            all_examples=all_examples,
            progress=progress,
            command=command_line(sys.argv),
        )
    if folder is not None:
        result.save(folder)
    if folder is not None and neuronpedia:
        from actmax.atlas.neuronpedia import export_neuronpedia

        export_neuronpedia(result, folder / "neuronpedia")
    if json:
        emit_json(result.to_json())
    else:
        show(result, console(json=json, quiet=quiet), folder)
    if not result.complete:
        kept = f"is in {str(folder)!r}" if folder is not None else "is shown; give --out to keep it"
        raise Interrupted(
            f"Stopped after {result.corpus.tokens:,} tokens; what they showed {kept}, marked as incomplete."
        )


def show(result: ObserveResult, screen: Console, folder: Path | None) -> None:
    """The result as tables for a terminal; control characters are shown, never sent."""
    from rich.markup import escape

    from actmax.legible import legible
    from actmax.numbers import count, seconds

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
        screen.print("Each document gives one example; --all-examples shows all.", style="dim")
    if read.attribution:
        screen.print(escape(legible(read.attribution) + "."), style="dim")
    if folder is not None:
        screen.print(escape(f"Written to {folder}: report.html, result.json, manifest.json."))


def _show_unit(unit: UnitObservation, screen: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    from actmax.numbers import count, number, percent

    screen.print()
    screen.print(f"[bold]{escape(unit.unit)}[/bold]")
    screen.print(
        escape(
            f"from {number(unit.min)} to {number(unit.max)}, mean {number(unit.mean)}, standard deviation"
            f" {number(unit.std)}, above zero at {percent(unit.density)} of {count(unit.count)} positions"
        )
    )
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
    from rich.text import Text

    from actmax.legible import visible
    from actmax.numbers import count, percent

    for label, winners in (("largest", unit.top_tokens), ("smallest", unit.bottom_tokens)):
        line = Text(f"{label} in {count(unit.windows)} windows at: ", style="dim")
        for place, winner in enumerate(winners[:_WINNERS]):
            line.append(", " if place else "", style="dim")
            line.append(visible(winner.token), style="not dim")
            line.append(f" {percent(winner.share)}", style="dim")
        screen.print(line)


def _line(example: CorpusExample, *, plain: bool) -> Text:
    """One example on one line, the token in reverse, or between marks where there are no colours."""
    from rich.text import Text

    from actmax.legible import legible, visible

    before, after = example.text_before[-_BEFORE:], example.text_after[:_AFTER]
    line = Text(legible(before).rjust(_BEFORE)[-_BEFORE:])
    line.append(f"‹{visible(example.token)}›" if plain else visible(example.token), style="reverse")
    line.append(legible(after))
    return line
