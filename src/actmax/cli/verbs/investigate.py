"""``actmax investigate UNIT``: everything about one unit, on one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, UnitArgument
from actmax.cli.terminal import finish, nothing_saved
from actmax.cli.verbs.check import MeasureOptions
from actmax.corpus.names import check_corpora
from actmax.settings import Option


@dataclass(frozen=True, kw_only=True)
class InvestigateOptions(MeasureOptions):
    """The settings of `investigate`."""

    runs: int = 10
    """Runs of soft ascent, in one batch."""
    method: Annotated[str, Option(metavar="NAME|none")] = "text"
    """The token method that searches text; none for no search."""


@verb("investigate", order=40)
def investigate(unit: UnitArgument, settings: InvestigateOptions, machine: Machine, output: Output) -> None:
    """Observe, maximise, repeat and check one unit, and say in three sentences what may be concluded.

    Examples:
      actmax investigate hidden_states.4:90 --out runs/unit
      actmax investigate blocks.8.mlp.hook_post:1022 --method none --no-shuffled
    """
    check_corpora(settings.corpus)
    output.prepare()
    opened = machine.load(quiet=output.quiet)
    import actmax.api.investigate as api
    from actmax.cli.show.findings import show_investigation

    given = settings.arguments() | {"method": None if settings.method == "none" else settings.method}
    with nothing_saved("the corpus was read"), progress_bar(quiet=output.quiet) as progress:
        result = api.investigate(opened, unit, **given, progress=progress)  # type: ignore[arg-type]
    finish(result, output, lambda screen: show_investigation(result, screen))
