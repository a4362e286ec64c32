"""``actmax check UNIT``: the assumptions of activation maximization, measured."""

from __future__ import annotations

from actmax.checks.settings import CheckSettings
from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, UnitArgument
from actmax.cli.terminal import finish, nothing_saved
from actmax.corpus.names import check_corpora


@verb("check", order=50)
def check(unit: UnitArgument, settings: CheckSettings, machine: Machine, output: Output) -> None:
    """Measure the assumptions that activation maximization rests on, each with its controls.

    Examples:
      actmax check hidden_states.4:90 --out runs/checked
      actmax check blocks.8.mlp.hook_post:1022 --text "the best text so far" --no-shuffled
    """
    check_corpora(settings.corpus)
    output.prepare()
    opened = machine.load(quiet=output.quiet)
    import actmax.api.check as api
    from actmax.cli.show.findings import show_check

    with nothing_saved("the first check was done"), progress_bar(quiet=output.quiet) as progress:
        result = api.check(opened, unit, **(vars(settings) | {"progress": progress}))
    finish(result, output, lambda screen: show_check(result, screen))
