"""``actmax dictionary PATH``: what a sparse autoencoder is, and whether it fits the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, Seed
from actmax.cli.terminal import console, emit_json
from actmax.settings import Option, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from actmax.results.dictionary import DictionaryResult

PathArgument = Annotated[str, typer.Argument(metavar="PATH", help="Its folder or file, or hf:REPO/PATH.")]


@dataclass(frozen=True, kw_only=True)
class FitOptions(Settings):
    """How a dictionary is checked."""

    corpus: Annotated[str, Option(short="-c", metavar="NAME|PATH")] = "wikipedia-excerpt"
    """Text to check it on."""


@verb("dictionary", order=85)
def dictionary(
    path: PathArgument, settings: FitOptions, machine: Machine, seed: Seed, output: Output
) -> None:
    """Say what a sparse autoencoder or transcoder is, and whether it fits the model on real text.

    Examples:
      actmax dictionary runs/dictionary
      actmax dictionary hf:google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71 -m google/gemma-2-2b
    """
    output.prepare()
    opened = machine.load(quiet=output.quiet)
    import actmax.api.dictionary as api

    with progress_bar(quiet=output.quiet) as progress:
        found = api.dictionary(opened, path, fold=machine.fold, corpus=settings.corpus, progress=progress)
    if output.out is not None:
        found.save(output.out)
    if output.json:
        emit_json(found.to_json())
    else:
        _show(found, console(json=False, quiet=output.quiet))


def _show(found: DictionaryResult, screen: Console) -> None:
    """The numbers as a table, and the conclusion."""
    from rich.table import Table
    from rich.text import Text

    from actmax.results.dictionary import DictionaryResult
    from actmax.results.shown import shown_fields

    table = Table(box=None, pad_edge=False, show_header=False)
    for name, shown in shown_fields(DictionaryResult).items():
        table.add_row(
            Text(shown.label), Text(shown.text(getattr(found, name))), Text(shown.meaning, style="dim")
        )
    screen.print(table)
    for one in found.elsewhere:
        screen.print(f"at {one.site}: FVU {one.fvu:.3f}, L0 {one.l0:.1f}", markup=False)
    screen.print(" ".join(found.conclusion), markup=False)
