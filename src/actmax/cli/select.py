"""``actmax select``: which units tell two kinds of text apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from actmax.cli.bars import stage_bar
from actmax.cli.options import (
    BosOption,
    DeviceOption,
    DtypeOption,
    FieldOption,
    IncludeSinksOption,
    JsonOption,
    ModelOption,
    OutOption,
    QuietOption,
    SeedOption,
    console,
    emit_json,
    open_model,
)
from actmax.errors import ActmaxError, Interrupted


def select(
    a: Annotated[
        str | None,
        typer.Option(
            "--a",
            metavar="GROUP",
            help="A name (see --list), words:a,b,c, regex:PATTERN, length:7, or FILE[#LABEL].",
            show_default=False,
        ),
    ] = None,
    b: Annotated[
        str | None,
        typer.Option(
            "--b",
            metavar="GROUP",
            help="What it is compared with; may be left out where --a is a file with two labels.",
            show_default=False,
        ),
    ] = None,
    second_a: Annotated[
        str | None,
        typer.Option(
            "--second-a", metavar="GROUP", help="Validate on this and --second-b.", show_default=False
        ),
    ] = None,
    second_b: Annotated[
        str | None, typer.Option("--second-b", metavar="GROUP", help="See --second-a.", show_default=False)
    ] = None,
    sites: Annotated[
        list[str],
        typer.Option("--sites", "-s", metavar="PATTERN", help="Sites to compare; may be given again."),
    ] = ["blocks.*.mlp.hook_pre"],  # noqa: B006 - typer reads it, nobody changes it
    corpus: Annotated[
        list[str],
        typer.Option(
            "--corpus",
            "-c",
            metavar="NAME|PATH",
            help="Where words are found; `none` for none. As for observe.",
        ),
    ] = ["wikipedia-excerpt"],  # noqa: B006
    words: Annotated[
        str,
        typer.Option("--words", metavar="auto|alone|corpus", help="Read word lists alone, or in the corpus."),
    ] = "auto",
    space: Annotated[
        str,
        typer.Option("--space", metavar="with|without|both", help="The leading space of a word read alone."),
    ] = "with",
    token: Annotated[
        str, typer.Option("--token", metavar="last|first|mean", help="Which token of a target is read.")
    ] = "last",  # noqa: S107
    window: Annotated[
        int, typer.Option("--window", metavar="N", min=0, help="Tokens of context in front of a target.")
    ] = 32,
    after: Annotated[
        int, typer.Option("--after", metavar="N", min=0, help="Tokens read after it (it does not see them).")
    ] = 0,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", min=2, help="Samples of each group, at most.")
    ] = 500,
    test: Annotated[
        str, typer.Option("--test", metavar="welch|mann-whitney|logistic|paired", help="What p is of.")
    ] = "welch",
    alpha: Annotated[float, typer.Option("--alpha", metavar="X", help="Level of significance.")] = 0.05,
    correction: Annotated[
        str, typer.Option("--correction", metavar="bh|bonferroni|none", help="For testing many units.")
    ] = "bh",
    scope: Annotated[
        str, typer.Option("--scope", metavar="model|site", help="The tests that a correction counts.")
    ] = "model",
    permutations: Annotated[
        int, typer.Option("--permutations", metavar="N", min=0, help="Shuffles of the labels; 0 for none.")
    ] = 200,
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Fit a sparse probe over units.")] = True,
    context: Annotated[
        bool, typer.Option("--context/--no-context", help="Follow the targets' vectors through the blocks.")
    ] = True,
    top: Annotated[int, typer.Option("--top", metavar="N", min=1, help="Units in the result.")] = 50,
    heat: Annotated[int, typer.Option("--heat", metavar="N", min=0, help="Units shown over fresh text.")] = 6,
    field: FieldOption = "text",
    bos: BosOption = "auto",
    include_sinks: IncludeSinksOption = False,
    padded: Annotated[
        bool, typer.Option("--padded", help="Batches with padding in place of batches of one length.")
    ] = False,
    hold_out: Annotated[
        str, typer.Option("--hold-out", metavar="documents|words", help="What units are validated on.")
    ] = "documents",
    save_activations: Annotated[
        bool, typer.Option("--save-activations", help="Also write all activations into --out.")
    ] = False,
    list_groups: Annotated[
        bool, typer.Option("--list", help="Name the groups that come with actmax.")
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the units that tell two kinds of text apart.

    \b
    Examples:
      actmax select --a negation --b affirmation --out runs/negation
      actmax select --a nouns --b verbs --sites blocks.8.mlp.hook_pre --correction bonferroni
      actmax select --a proper-nouns --b lower-case --sites "hidden_states.*"
      actmax select --a reviews.csv --test logistic
    """
    if list_groups:
        _list_groups(json=json, quiet=quiet)
        return
    if a is None:
        raise ActmaxError("Name a group with --a; `actmax select --list` names those that there are.")
    if (second_a is None) != (second_b is None):
        raise ActmaxError("A second set has two groups; give both --second-a and --second-b.")
    if save_activations and out is None:
        raise ActmaxError("Activations are written into a folder; name it with --out.")
    choices: dict[str, Any] = {
        "words": words,
        "space": space,
        "token": token,
        "test": test,
        "correction": correction,
        "scope": scope,
        "bos": bos,
        "hold": hold_out,
    }
    _check_words(choices)
    from actmax.results.store import prepare_out

    folder = None if out is None else prepare_out(out)
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    from actmax.api.select import select as compare

    with stage_bar(quiet=quiet) as progress:
        result = compare(
            opened,
            a,
            b,
            sites=sites,
            corpus=None if corpus == ["none"] else corpus,
            second=None if second_a is None or second_b is None else (second_a, second_b),
            window=window,
            after=after,
            samples=samples,
            alpha=alpha,
            permutations=permutations,
            probe=probe,
            context=context,
            top=top,
            heat=heat,
            field=field,
            include_sinks=include_sinks,
            batching="padded" if padded else "packed",
            seed=seed,
            activations=folder if save_activations else None,
            progress=progress,
            **choices,
        )
    if folder is not None:
        result.save(folder)
    if json:
        emit_json(result.to_json())
    else:
        from actmax.cli.select_text import show

        show(result, console(json=json, quiet=quiet), folder)
    if not result.complete:
        kept = f"is in {str(folder)!r}" if folder is not None else "is shown; give --out to keep it"
        raise Interrupted(
            f"Stopped after {result.a.samples + result.b.samples} samples; what they showed {kept}, marked as"
            " incomplete."
        )


def _check_words(choices: Mapping[str, str]) -> None:
    """Refuse a word that an option does not know, before anything is loaded."""
    from typing import get_args

    from actmax.inputs.bos import bos_policy
    from actmax.selectivity.compare import Scope, Test
    from actmax.selectivity.extract import Take
    from actmax.selectivity.groups import Space, WordsMode
    from actmax.selectivity.run import Hold
    from actmax.stats.heldout import Correction

    bos_policy(choices["bos"])
    kinds = {
        "words": WordsMode,
        "space": Space,
        "token": Take,
        "test": Test,
        "correction": Correction,
        "scope": Scope,
        "hold": Hold,
    }
    for name, kind in kinds.items():
        if choices[name] not in get_args(kind):
            option = "--hold-out" if name == "hold" else f"--{name}"
            raise ActmaxError(f"{option} is {choices[name]!r}; use {', '.join(get_args(kind))}.")


def _list_groups(*, json: bool, quiet: bool) -> None:
    from actmax.selectivity.named import BUILT_IN

    if json:
        emit_json(
            [{"name": name, "meaning": g.meaning, "usual_partner": g.partner} for name, g in BUILT_IN.items()]
        )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("group", "what it is", "usually against"):
        table.add_column(head)
    for name, group in BUILT_IN.items():
        table.add_row(name, group.meaning, group.partner)
    screen = console(json=json, quiet=quiet)
    screen.print(table)
    screen.print("\nAlso: words:a,b,c · regex:PATTERN · length:7, length:3-5, length:8- · FILE, FILE#LABEL")
