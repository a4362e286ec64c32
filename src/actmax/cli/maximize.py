"""``actmax maximize UNIT``: the input that a unit wants most, with a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actmax.cli.bars import progress_bar, step_bar
from actmax.cli.journals import clear, journaled
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
            metavar="mean|last|max|each|N",
            help="Where the unit is read: mean, for token methods last. Token methods also read one position"
            " N after the prefix, or each: one search a position, equal shares of the budget.",
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
    fluency: Annotated[
        float | None, _text_option("X", "activation that one nat per token costs (0).")
    ] = None,
    shortest: Annotated[int | None, _text_option("N", "fewest tokens (as many as --length).")] = None,
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
    corpus: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Real text to measure the unit in, and for token methods to start from"
            " (wikipedia-excerpt; soft-ascent reads none unless told).",
            show_default=False,
        ),
    ] = None,
    atlas: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Take the corpus maximum from this atlas.", show_default=False),
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
      actmax maximize blocks.2.mlp.hook_post:7 --method gcg --method beam --out runs/two
    """
    from actmax.api.compare import distinct
    from actmax.api.methods import own_name

    names = distinct(method) if len(method) > 1 else [own_name(method[0])]
    if resume is not None and out is not None and out != resume:
        raise ActmaxError("--resume and --out name two folders; give one of them.")
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
        "fluency": fluency,
        "shortest": shortest,
        "prefix": prefix,
        "suffix": suffix,
        "chat": chat or None,
        "reachable": False if unreachable else None,
        "include_sinks": include_sinks or None,
        "samples": samples,
        "corpus": corpus,
        "atlas": atlas,
        "bos": bos,
    }
    asked: dict[str, Any] = {
        "positions": _reading(positions),
        "minimize": minimize,
        "seed": seed,
        "also": weights,
        **{name: value for name, value in given.items() if value is not None},
    }
    place = _Place(out, resume, json, quiet)
    if len(names) == 1:
        _one(opened, unit, names[0], asked, place)
    else:
        _several(opened, unit, names, asked, place)


@dataclass(frozen=True)
class _Place:
    """Where results and words go."""

    out: Path | None
    resume: Path | None
    json: bool
    quiet: bool

    def say_report(self, folder: Path) -> None:
        screen = console(json=self.json, quiet=self.quiet)
        screen.print(f"\nReport: {folder / 'report.html'}", markup=False)

    def stopped(self, done: int, unit: str, *, token: bool) -> Interrupted:
        where = f"what was done is in {self.out}" if self.out is not None else "give --out DIR to keep it"
        more = f", and --resume {self.out} goes on" if token and self.out is not None else ""
        return Interrupted(f"Interrupted after {done} {unit}; {where}{more}.")


def _one(opened: Model, unit: str, method: str, asked: dict[str, Any], place: _Place) -> None:
    """One method."""
    import actmax
    from actmax.api.methods import token_method
    from actmax.cli.maximize_show import tell

    token = token_method(method) is not None
    if place.resume is not None and not token:
        raise ActmaxError(f"Only token methods can be resumed; run {method} again, it takes seconds.")
    folders = [place.out] if token and place.out is not None else []
    journal: dict[str, Any] = {"resume": place.out} if folders else {}
    with (
        journaled(folders, resume=place.resume),
        progress_bar(quiet=place.quiet) as progress,
        step_bar(quiet=place.quiet) as show,
    ):
        result = actmax.maximize(
            opened,
            unit,
            method=method,
            progress=progress,
            on_step=lambda at: show(at.index, at.total, f"activation {at.activation:.4g}"),
            **journal,
            **asked,
        )
    if place.out is not None:
        result.save(place.out)
    if result.complete:
        clear(folders)
    if place.json:
        emit_json(result.to_json())
    else:
        tell(result, quiet=place.quiet)
    if place.out is not None:
        place.say_report(place.out)
    if not result.complete:
        steps = result.runs[-1].trajectory.step
        done = result.cost.sequences_scored if token else steps[-1] if steps else 0
        raise place.stopped(done, "sequences" if token else "steps", token=token)


def _several(opened: Model, unit: str, names: list[str], asked: dict[str, Any], place: _Place) -> None:
    """Several methods on one page; each has its own in the folder with its name."""
    import actmax
    from actmax.api.methods import token_method
    from actmax.cli.maximize_show import tell_comparison

    out = place.out
    folders = [out / name for name in names if token_method(name) is not None] if out is not None else []

    def keep(result: MaximizeResult) -> None:
        if out is not None:
            result.save(out / result.method)

    with (
        journaled(folders, resume=place.resume),
        progress_bar(quiet=place.quiet) as progress,
        step_bar(quiet=place.quiet) as show,
    ):
        result = actmax.compare(
            opened,
            unit,
            names,
            resume=out,
            progress=progress,
            on_step=lambda name, at: show(at.index, at.total, f"{name}: activation {at.activation:.4g}"),
            on_result=keep,
            **asked,
        )
    if out is not None:
        result.save(out)
    if result.complete:
        clear(folders)
    if place.json:
        emit_json(result.to_json())
    else:
        tell_comparison(result, quiet=place.quiet)
    if out is not None:
        place.say_report(out)
    if not result.complete:
        done = sum(one.complete for one in result.results)
        raise place.stopped(done, f"of {len(names)} methods", token=True)


def _reading(positions: str | None) -> Any:
    return int(positions) if positions is not None and positions.isdecimal() else positions


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
