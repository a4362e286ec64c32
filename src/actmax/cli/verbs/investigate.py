"""``actmax investigate UNIT``: everything about one unit, on one page."""

from __future__ import annotations

from actmax.checks.settings import InvestigateSettings
from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, UnitArgument
from actmax.cli.terminal import finish, nothing_saved
from actmax.corpus.names import check_corpora


@verb("investigate", order=40)
def investigate(unit: UnitArgument, settings: InvestigateSettings, machine: Machine, output: Output) -> None:
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

    with nothing_saved("the corpus was read"), progress_bar(quiet=output.quiet) as progress:
        result = api.investigate(opened, unit, **(vars(settings) | {"progress": progress}))
    finish(result, output, lambda screen: show_investigation(result, screen))
