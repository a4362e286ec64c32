"""``actmax investigate UNIT``: the whole story of one unit, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actmax.cli.bars import stage_bar
from actmax.cli.check import (
    OthersOption,
    ShuffledOption,
    TextOption,
    TokensOption,
)
from actmax.cli.findings import finish, nothing_kept
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


def investigate(
    unit: UnitArgument,
    corpus: CorpusOption = ["wikipedia-excerpt"],  # noqa: B006 - typer reads it, nobody changes it
    max_tokens: TokensOption = 12_288,
    runs: Annotated[int, typer.Option(metavar="N", help="Runs of soft ascent, in one batch.")] = 10,
    others: OthersOption = 19,
    steps: Annotated[int, typer.Option(metavar="N", help="Updates of soft ascent.")] = 75,
    length: Annotated[int, typer.Option(metavar="N", help="Positions that are optimised.")] = 5,
    shuffled: ShuffledOption = True,
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="The token method that searches text, or none.")
    ] = "text",
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
    """Observe, maximise, repeat and check one unit, and say in three sentences what may be concluded.

    \b
    Examples:
      actmax investigate hidden_states.4:90 --out runs/story
      actmax investigate blocks.8.mlp.hook_post:1022 --method none --no-shuffled
    """
    from actmax.inputs.bos import bos_policy

    policy = bos_policy(bos)
    if out is not None:
        from actmax.results.store import prepare_out

        prepare_out(Path(out))
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    from actmax.api.investigate import investigate as look

    with nothing_kept("the corpus was read"), stage_bar(quiet=quiet) as progress:
        result = look(
            opened,
            unit,
            corpus=corpus,
            max_tokens=max_tokens,
            runs=runs,
            others=others,
            steps=steps,
            length=length,
            shuffled=shuffled,
            method=None if method == "none" else method,
            texts=text or [],
            bos=policy,
            seed=seed,
            progress=progress,
        )
    screen = console(json=json, quiet=quiet)
    screen.print(f"investigate {result.unit} of {result.model}\n", markup=False)
    for sentence in result.conclusion:
        screen.print(sentence, markup=False)
    screen.print()
    for check in result.checks:
        screen.print(f"{check.assumption}: {check.answer} ({check.standing})", markup=False)
    finish(result, out, json=json, quiet=quiet)
