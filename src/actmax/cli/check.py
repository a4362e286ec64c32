"""``actmax check UNIT``: the assumptions of activation maximization, measured."""

from __future__ import annotations

from typing import Annotated

import typer

from actmax.cli.bars import stage_bar
from actmax.cli.findings import finish, nothing_kept, tell_checks
from actmax.cli.maximize import UnitArgument
from actmax.cli.options import (
    BosOption,
    CorpusOption,
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

TokensOption = Annotated[
    int, typer.Option("--max-tokens", metavar="N", min=1, help="Tokens of the corpus that are read.")
]
OthersOption = Annotated[
    int, typer.Option("--others", metavar="N", help="Random units to compare with; below 19 none stands out.")
]
ShuffledOption = Annotated[bool, typer.Option(help="Also check a copy of the model with shuffled weights.")]
MethodOption = Annotated[
    str | None,
    typer.Option("--method", metavar="NAME", help="Also judge the best text of this token method."),
]
TextOption = Annotated[
    list[str] | None, typer.Option("--text", metavar="TEXT", help="Also judge this text; may be given again.")
]


def check(
    unit: UnitArgument,
    corpus: CorpusOption = ["wikipedia-excerpt"],  # noqa: B006 - typer reads it, nobody changes it
    max_tokens: TokensOption = 12_288,
    others: OthersOption = 19,
    steps: Annotated[int, typer.Option(metavar="N", help="Updates of soft ascent.")] = 75,
    length: Annotated[int, typer.Option(metavar="N", help="Positions that are optimised.")] = 5,
    shuffled: ShuffledOption = True,
    method: MethodOption = None,
    text: TextOption = None,
    bos: BosOption = "auto",
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the assumptions that activation maximization rests on, each with its controls.

    \b
    Examples:
      actmax check hidden_states.4:90 --out runs/checked
      actmax check blocks.8.mlp.hook_post:1022 --text "the best text so far" --no-shuffled
    """
    from actmax.inputs.bos import bos_policy

    policy = bos_policy(bos)
    if out is not None:
        from actmax.results.store import prepare_out

        prepare_out(out)
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    from actmax.api.check import check as measure

    with nothing_kept("the first check was done"), stage_bar(quiet=quiet) as progress:
        result = measure(
            opened,
            unit,
            corpus=corpus,
            max_tokens=max_tokens,
            others=others,
            steps=steps,
            length=length,
            shuffled=shuffled,
            method=method,
            texts=text or [],
            bos=policy,
            seed=seed,
            progress=progress,
        )
    screen = console(json=json, quiet=quiet)
    screen.print(f"check {result.unit} of {result.model}", markup=False)
    tell_checks(screen, result.checks)
    for sentence in result.conclusion:
        screen.print(f"\n{sentence}", markup=False)
    finish(result, out, json=json, quiet=quiet)
