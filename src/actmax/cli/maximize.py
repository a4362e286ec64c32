"""``actmax maximize UNIT``: the input that a unit wants most, with a report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
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
    progress_bar,
    step_bar,
)
from actmax.errors import ActmaxError, Interrupted

if TYPE_CHECKING:
    from actmax.models.model import Model
    from actmax.results.maximize import MaximizeResult

UnitArgument = Annotated[
    str,
    typer.Argument(metavar="UNIT", help="SITE:INDEX, for example hidden_states.4:90; see `actmax sites`."),
]


def _text_option(metavar: str, words: str) -> Any:
    return typer.Option(metavar=metavar, help=f"Token methods: {words}", show_default=False)


def maximize(
    unit: UnitArgument,
    method: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="soft-ascent (soft), or over real tokens hybrid (text), random, exhaustive, coordinate,"
            " hotflip, gcg, epo, pez, gumbel, beam; give it again to compare methods.",
        ),
    ] = ["soft-ascent"],  # noqa: B006 - typer reads it, nobody changes it
    length: Annotated[
        int | None, typer.Option(metavar="N", help="Positions: 5, for token methods 12.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Updates of Adam (500).", show_default=False)
    ] = None,
    restarts: Annotated[
        int | None, typer.Option(metavar="N", help="Independent starts (1).", show_default=False)
    ] = None,
    positions: Annotated[
        str | None,
        typer.Option(
            metavar="mean|last|max",
            help="Where the unit is read: mean, for token methods last.",
            show_default=False,
        ),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(metavar="X", help="Adam's learning rate (0.001).", show_default=False)
    ] = None,
    l2: Annotated[
        float | None, typer.Option(metavar="X", help="λ of the penalty λ·Σθ² (0.01).", show_default=False)
    ] = None,
    shell: Annotated[
        bool, typer.Option("--shell", help="Keep every vector at the embeddings' mean norm.")
    ] = False,
    shell_penalty: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="Weight of the squared distance to that norm (0).", show_default=False
        ),
    ] = None,
    init_text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Start from this text.", show_default=False)
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="WEIGHT*UNIT", help="Add a further unit to the objective.", show_default=False),
    ] = None,
    nearest: Annotated[
        str | None,
        typer.Option(
            metavar="cosine|l2|dot", help="How the nearest tokens are found (cosine).", show_default=False
        ),
    ] = None,
    budget: Annotated[int | None, _text_option("N", "sequences that may be scored (1536).")] = None,
    max_cross_entropy: Annotated[
        float | None, _text_option("X", "only text of at most so many nats per token.")
    ] = None,
    prefix: Annotated[str | None, _text_option("TEXT", "what stands before the searched tokens.")] = None,
    suffix: Annotated[str | None, _text_option("TEXT", "what stands after them.")] = None,
    chat: Annotated[
        bool, typer.Option("--chat", help="Token methods: inside the model's chat template.")
    ] = False,
    unreachable: Annotated[
        bool,
        typer.Option("--unreachable", help="Token methods: also sequences that no text is tokenised into."),
    ] = False,
    include_sinks: Annotated[
        bool, typer.Option("--include-sinks", help="Token methods: also read attention sinks and position 0.")
    ] = False,
    samples: Annotated[int | None, _text_option("N", "solutions that differ in content (1).")] = None,
    resume: Annotated[
        Path | None, _text_option("DIR", "go on with the search that --out DIR was stopped in.")
    ] = None,
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
      actmax maximize blocks.8.mlp.hook_post:1022 --method text --out runs/text
      actmax maximize blocks.2.mlp.hook_post:7 --method gcg --method beam --budget 512
    """
    out = resume if out is None else out
    if out is not None:
        from actmax.results.store import prepare_out

        prepare_out(out)
    weights = [_weighted(text) for text in also or []]
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    given: dict[str, Any] = {
        "length": length,
        "steps": steps,
        "restarts": restarts,
        "lr": lr,
        "l2": l2,
        "shell": shell or None,
        "shell_penalty": shell_penalty,
        "init_text": init_text,
        "metric": nearest,
        "budget": budget,
        "max_cross_entropy": max_cross_entropy,
        "prefix": prefix,
        "suffix": suffix,
        "chat": chat or None,
        "reachable": False if unreachable else None,
        "include_sinks": include_sinks or None,
        "samples": samples,
        "bos": bos,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    found: list[MaximizeResult] = []
    for name in method:
        folder = out if out is None or len(method) == 1 else out / name
        result = _search(
            opened,
            unit,
            name,
            folder,
            resume is not None,
            quiet,
            positions=positions,
            minimize=minimize,
            seed=seed,
            also=weights,
            **settings,
        )
        found.append(result)
        if folder is not None:
            result.save(folder)
        if not json:
            _tell(result, quiet)
            if folder is not None:
                console(json=json, quiet=quiet).print(f"\nReport: {folder / 'report.html'}", markup=False)
        if not result.complete:
            break
    if json:
        plain = [result.to_json() for result in found]
        emit_json(plain[0] if len(method) == 1 else {"schema": "actmax.compare/1", "results": plain})
    elif len(method) > 1:
        _compare(found, quiet)
    if not found[-1].complete:
        where = f"; what was done is in {out}" if out is not None else "; give --out DIR to keep what is done"
        last = found[-1].runs[-1].trajectory.step
        raise Interrupted(f"Interrupted after {last[-1] if last else 0} steps{where}.")


def _search(
    opened: Model,
    unit: str,
    method: str,
    folder: Path | None,
    resuming: bool,
    quiet: bool,
    **settings: Any,
) -> MaximizeResult:
    """One method; a token method keeps a journal in the output folder while it runs."""
    import actmax
    from actmax.api.maximize import SOFT
    from actmax.search.journal import NAME

    journal = None if folder is None or method in SOFT else folder / NAME
    if resuming and journal is None:
        raise ActmaxError("Only token methods can be resumed; run soft-ascent again, it takes seconds.")
    if journal is not None:
        if resuming and not journal.exists():
            raise ActmaxError(f"There is no search to resume in {str(folder)!r}; leave --resume out.")
        if not resuming:
            journal.unlink(missing_ok=True)
        settings["resume"] = folder
    with _begun(journal), progress_bar(quiet=quiet) as progress, step_bar(quiet=quiet) as show:
        result = actmax.maximize(
            opened,
            unit,
            method=method,
            progress=progress,
            on_step=lambda at: show(at.index, at.total, f"activation {at.activation:.4g}"),
            **settings,
        )
    if journal is not None and result.complete:
        journal.unlink(missing_ok=True)
    return result


@contextlib.contextmanager
def _begun(journal: Path | None) -> Iterator[None]:
    """The journal's folder, which goes again where a mistake ends the search before it begins."""
    if journal is None:
        yield
        return
    fresh, made = not journal.exists(), not journal.parent.exists()
    journal.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except ActmaxError:
        if fresh:
            journal.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                journal.parent.rmdir()
        raise


def _compare(found: list[MaximizeResult], quiet: bool) -> None:
    """The methods beside one another."""
    from rich.table import Table

    from actmax.report.numbers import number

    screen = console(json=False, quiet=quiet)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("method", "reached", "of corpus maximum", "nats per token", "sequences", "seconds"):
        table.add_column(title, justify="left" if title == "method" else "right")
    for result in found:
        corpus = result.corpus_maximum
        share = "" if corpus is None or not corpus.value else f"{result.best.activation / corpus.value:.2f} x"
        nats = result.best_run.cross_entropy
        table.add_row(
            result.method,
            number(result.best.activation),
            share,
            number(nats),
            str(result.cost.sequences_scored),
            f"{result.cost.seconds:.1f}",
        )
    screen.print()
    screen.print(table)


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
    soft = result.is_soft
    titles = ("restart", "start", "reached", *(("best cosine", "on these tokens") if soft else ("nats",)))
    titles = (*titles, "nearest tokens" if soft else "tokens")
    for title in titles:
        table.add_column(title, justify="left" if title == titles[-1] else "right", overflow="fold")
    for run in result.runs:
        table.add_row(
            f"{run.restart}{' *' if run.restart == result.best.restart else ''}",
            number(run.activation_initial),
            number(run.activation_final),
            *(
                (number(max(run.cosine)), number(run.activation_of_ids))
                if soft
                else (number(run.cross_entropy),)
            ),
            Text(" ".join(visible(token) for token in run.tokens)),
        )
    screen.print(table)
    for run in result.runs:
        if run.stopped:
            screen.print(f"Restart {run.restart} {run.stopped}.", markup=False)
    screen.print()
    screen.print(conclusion(result), markup=False)
