"""``actmax reproduce UNIT``: do independent runs find the same thing?"""

from __future__ import annotations

from actmax.checks.settings import ReproduceSettings
from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, UnitArgument
from actmax.cli.terminal import finish, nothing_saved


@verb("reproduce", order=60)
def reproduce(unit: UnitArgument, settings: ReproduceSettings, machine: Machine, output: Output) -> None:
    """Run a search several times and say whether the runs found the same thing.

    Examples:
      actmax reproduce hidden_states.4:90
      actmax reproduce blocks.8.mlp.hook_post:1022 --runs 20 --out runs/again
      actmax reproduce hidden_states.4:90 --method text --runs 4
    """
    output.prepare()
    opened = machine.load(quiet=output.quiet)
    import actmax.api.reproduce as api
    from actmax.cli.show.findings import show_reproduced

    with nothing_saved("two runs were done"), progress_bar(quiet=output.quiet) as progress:
        result = api.reproduce(opened, unit, **(vars(settings) | {"progress": progress}))
    finish(result, output, lambda screen: show_reproduced(result, screen))
