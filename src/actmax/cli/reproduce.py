"""``actmax reproduce UNIT``: do independent runs find the same thing?"""

from __future__ import annotations

from typing import Annotated

import typer

from actmax.cli.bars import step_bar
from actmax.cli.findings import finish, nothing_kept, tell_numbers
from actmax.cli.maximize import UnitArgument
from actmax.cli.options import (
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    OutOption,
    QuietOption,
    SeedOption,
    console,
    open_model,
)


def reproduce(
    unit: UnitArgument,
    runs: Annotated[int, typer.Option(metavar="N", help="Independent runs, in one batch.")] = 10,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="soft-ascent, or a method that searches tokens.")
    ] = "soft-ascent",
    length: Annotated[int, typer.Option(metavar="N", help="Positions that are optimised.")] = 5,
    steps: Annotated[int, typer.Option(metavar="N", help="Updates of soft ascent.")] = 500,
    positions: Annotated[
        str | None,
        typer.Option(metavar="mean|last|max", help="Where the unit is read; mean, for token methods last."),
    ] = None,
    lr: Annotated[float, typer.Option(metavar="X", help="Adam's learning rate.")] = 0.001,
    l2: Annotated[float, typer.Option(metavar="X", help="λ of the penalty λ·Σθ².")] = 0.01,
    budget: Annotated[
        int | None,
        typer.Option(metavar="N", help="Sequences that each run of a token method may score."),
    ] = None,
    unrelated: Annotated[
        int | None,
        typer.Option(metavar="N", help="Unrelated units that are searched as often; 2, for token methods 1."),
    ] = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a search several times and say whether the runs found the same thing.

    \b
    Examples:
      actmax reproduce hidden_states.4:90
      actmax reproduce blocks.8.mlp.hook_post:1022 --runs 20 --out runs/again
      actmax reproduce hidden_states.4:90 --method text --runs 4
    """
    if out is not None:
        from actmax.results.store import prepare_out

        prepare_out(out)
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    from actmax.api.reproduce import reproduce as repeat

    with nothing_kept("two runs were done"), step_bar(quiet=quiet) as show:
        result = repeat(
            opened,
            unit,
            runs=runs,
            method=method,
            positions=positions,  # type: ignore[arg-type]  # checked there
            length=length,
            steps=steps,
            lr=lr,
            l2=l2,
            budget=budget,
            unrelated=unrelated,
            seed=seed,
            on_step=show,
        )
    screen = console(json=json, quiet=quiet)
    screen.print(f"reproduce {result.unit} of {result.model}, {result.method}, {len(result.runs)} runs")
    tell_numbers(screen, result.numbers)
    screen.print()
    screen.print(f"Verdict: {result.verdict}. {' '.join(result.conclusion)}", markup=False)
    finish(result, out, json=json, quiet=quiet)
