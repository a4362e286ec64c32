"""``actmax reproduce UNIT``: do independent runs find the same thing?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, UnitArgument
from actmax.cli.terminal import finish, nothing_saved
from actmax.settings import Option, Settings


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(Settings):
    """The settings of `reproduce`."""

    runs: int = 10
    """Independent runs, in one batch."""
    method: Annotated[str, Option(metavar="NAME")] = "soft-ascent"
    """soft-ascent, or a method that searches tokens."""
    length: int = 5
    """Positions that are optimised."""
    steps: int = 500
    """Updates of soft ascent."""
    positions: Literal["mean", "last", "max"] | None = None
    """Where the unit is read: mean, for token methods last."""
    lr: Annotated[float, Option(panel="Method soft-ascent")] = 0.001
    """Adam's learning rate."""
    l2: Annotated[float, Option(panel="Method soft-ascent")] = 0.01
    """λ of the penalty λ·Σθ²."""
    budget: int | None = None
    """Sequences that each run of a token method may score."""
    unrelated: int | None = None
    """Unrelated units that are searched as often: 2, for token methods 1."""
    seed: Annotated[int, Ge(0)] = 0
    """Everything random is drawn from this."""


@verb("reproduce", order=60)
def reproduce(unit: UnitArgument, settings: ReproduceOptions, machine: Machine, output: Output) -> None:
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
        result = api.reproduce(
            opened,
            unit,
            **vars(settings),
            on_step=lambda index, total, note: progress("searching", index, total, note=note),
        )
    finish(result, output, lambda screen: show_reproduced(result, screen))
