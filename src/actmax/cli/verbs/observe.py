"""``actmax observe``: the strongest and the typical examples of units in real text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, Seed, UnitsArgument
from actmax.cli.terminal import finish
from actmax.corpus.names import check_corpora
from actmax.errors import ActmaxError
from actmax.observation.settings import ObserveSettings
from actmax.settings import UNRECORDED, Option, Settings


@dataclass(frozen=True, kw_only=True)
class Export(Settings):
    """Formats of other tools."""

    neuronpedia: Annotated[bool, UNRECORDED, Option(panel="Output")] = False
    """Also write OUT/neuronpedia in the layout of its importer."""


@verb("observe", order=20)
def observe(
    units: UnitsArgument,
    settings: ObserveSettings,
    export: Export,
    machine: Machine,
    seed: Seed,
    output: Output,
) -> None:
    """Show what units respond to most in real text.

    Examples:
      actmax observe hidden_states.4:90
      actmax observe blocks.8.mlp.hook_post:1022 --corpus my-texts/ --max-tokens 0 --out runs/seen
      cat book.txt | actmax observe hidden_states.4:90 --corpus -
    """
    if export.neuronpedia and output.out is None:
        raise ActmaxError("--neuronpedia writes files; name a folder with --out DIR.")
    check_corpora(settings.corpus)
    output.prepare()
    opened = machine.load(quiet=output.quiet)
    from actmax.api.observe import observe as look
    from actmax.cli.show.observe import show_observed

    with progress_bar(quiet=output.quiet) as progress:
        result = look(opened, units, **vars(settings), progress=progress)
    if output.out is not None and export.neuronpedia:
        from actmax.api.observe import save_neuronpedia

        save_neuronpedia(result, output.out / "neuronpedia")
    finish(
        result,
        output,
        lambda screen: show_observed(result, screen),
        done=f"{result.corpus.tokens:,} tokens",
    )
