"""``actmax maximize UNIT``: the input that a unit wants most, with a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from actmax.cli.options import (
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    OutOption,
    QuietOption,
    SeedOption,
    console,
    emit_json,
    open_model,
    step_bar,
)
from actmax.errors import ActmaxError, Interrupted

if TYPE_CHECKING:
    from actmax.results.maximize import MaximizeResult

UnitArgument = Annotated[
    str,
    typer.Argument(metavar="UNIT", help="SITE:INDEX, for example hidden_states.4:90; see `actmax sites`."),
]


def maximize(
    unit: UnitArgument,
    method: Annotated[str, typer.Option(metavar="NAME", help="soft-ascent (or soft).")] = "soft-ascent",
    length: Annotated[int, typer.Option(metavar="N", help="Positions that are optimised.")] = 5,
    steps: Annotated[int, typer.Option(metavar="N", help="Updates of Adam.")] = 500,
    restarts: Annotated[int, typer.Option(metavar="N", help="Independent starts, run as one batch.")] = 1,
    positions: Annotated[str, typer.Option(metavar="mean|last|max", help="Where the unit is read.")] = "mean",
    lr: Annotated[float, typer.Option(metavar="X", help="Adam's learning rate.")] = 0.001,
    l2: Annotated[float, typer.Option(metavar="X", help="λ of the penalty λ·Σθ².")] = 0.01,
    shell: Annotated[
        bool, typer.Option("--shell", help="Keep every vector at the embeddings' mean norm.")
    ] = False,
    shell_penalty: Annotated[
        float, typer.Option(metavar="X", help="Weight of the squared distance to that norm.")
    ] = 0.0,
    init_text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Start from this text.", show_default=False)
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="WEIGHT*UNIT", help="Add a further unit to the objective.", show_default=False),
    ] = None,
    nearest: Annotated[
        str, typer.Option(metavar="cosine|l2|dot", help="How the nearest tokens are found.")
    ] = "cosine",
    bos: Annotated[
        str,
        typer.Option(metavar="auto|always|never", help="BOS in front; soft-ascent has none unless always."),
    ] = "auto",
    minimize: Annotated[bool, typer.Option("--minimize", help="Seek the lowest activation.")] = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Optimise an input until a unit fires as hard as it can, and say what that shows.

    \b
    Examples:
      actmax maximize hidden_states.4:90 --restarts 10 --out runs/demo
      actmax maximize blocks.8.mlp.hook_post:1022 --positions last --minimize
      actmax maximize hidden_states.4:90 --also "-0.5*hidden_states.4:91"
    """
    if out is not None:
        from actmax.results.store import prepare_out

        prepare_out(out)
    weights = [_weighted(text) for text in also or []]
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    import actmax

    settings: dict[str, Any] = {
        "length": length,
        "steps": steps,
        "restarts": restarts,
        "lr": lr,
        "l2": l2,
        "shell": shell,
        "shell_penalty": shell_penalty,
        "init_text": init_text,
        "metric": nearest,
        "bos": bos,
    }
    with step_bar(quiet=quiet) as show:
        result = actmax.maximize(
            opened,
            unit,
            method=method,
            positions=positions,  # type: ignore[arg-type]  # checked there
            minimize=minimize,
            seed=seed,
            also=weights,
            on_step=lambda step: show(
                step.index, step.total, f"activation {float(step.activation.mean()):.4g}"
            ),
            **settings,
        )
    if out is not None:
        result.save(out)
    if json:
        emit_json(result.to_json())
    else:
        _tell(result, quiet)
        if out is not None:
            console(json=json, quiet=quiet).print(f"\nReport: {out / 'report.html'}", markup=False)
    if not result.complete:
        where = f"; what was done is in {out}" if out is not None else "; give --out DIR to keep what is done"
        raise Interrupted(f"Interrupted after {result.runs[0].trajectory.step[-1]} steps{where}.")


def _weighted(text: str) -> tuple[float, str]:
    weight, star, unit = text.partition("*")
    try:
        if not star:
            raise ValueError
        return float(weight), unit.strip()
    except ValueError:
        raise ActmaxError(
            f"{text!r} is not WEIGHT*UNIT; write for example --also '-0.5*hidden_states.4:91'."
        ) from None


def _tell(result: MaximizeResult, quiet: bool) -> None:
    """The runs as a table and the conclusion as a sentence."""
    from rich.table import Table
    from rich.text import Text

    from actmax.report.conclusion import conclusion
    from actmax.report.numbers import number
    from actmax.report.tokens import visible

    screen = console(json=False, quiet=quiet)
    verb = "minimise" if result.minimize else "maximise"
    screen.print(f"{verb} {result.objective} of {result.model}, {result.method}", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    titles = ("restart", "start", "reached", "best cosine", "on these tokens", "nearest tokens")
    for title in titles:
        table.add_column(title, justify="left" if title == titles[-1] else "right", overflow="fold")
    for run in result.runs:
        table.add_row(
            f"{run.restart}{' *' if run.restart == result.best.restart else ''}",
            number(run.activation_initial),
            number(run.activation_final),
            number(max(run.cosine)) if run.cosine else "",
            number(run.activation_of_ids),
            Text(" ".join(visible(token) for token in run.tokens)),
        )
    screen.print(table)
    for run in result.runs:
        if run.stopped:
            screen.print(f"Restart {run.restart} {run.stopped}.", markup=False)
    screen.print()
    screen.print(conclusion(result), markup=False)
