"""``actmax atlas``: every unit of a model over a corpus, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actmax.cli.bars import stage_bar
from actmax.cli.options import (
    BosOption,
    ContextOption,
    CorpusOption,
    DeviceOption,
    DtypeOption,
    FieldOption,
    IncludeSinksOption,
    JsonOption,
    MaxTokensOption,
    ModelOption,
    QuietOption,
    SeedOption,
    TopOption,
    WindowOption,
    console,
    emit_json,
    open_model,
)

if TYPE_CHECKING:
    from actmax.atlas.atlas import AtlasExample, AtlasUnit

app = typer.Typer(
    help="Record every unit of a model over a corpus, and look things up.", no_args_is_help=True
)

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The atlas's folder.")]
_BEFORE, _AFTER = 44, 22
"""Characters of context in the terminal; ``--json`` has all of it."""


@app.command("build")
def build(
    folder: FolderArgument,
    corpus: CorpusOption = ["wikipedia-excerpt"],  # noqa: B006 - typer reads it, nobody changes it
    sites: Annotated[
        list[str],
        typer.Option(
            "--sites",
            metavar="PATTERN",
            help="Sites to record, such as 'blocks.3.*'; may be given again. Without it: MLP neurons,"
            " residual stream, q, k, v, z, attention and MLP outputs of all blocks.",
        ),
    ] = [],  # noqa: B006
    top: TopOption = 20,
    context: ContextOption = 32,
    max_tokens: MaxTokensOption = 0,
    window: WindowOption = 128,
    field: FieldOption = "text",
    bos: BosOption = "auto",
    include_sinks: IncludeSinksOption = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what DIR holds.")] = False,
    save_every: Annotated[
        float, typer.Option("--save-every", metavar="SECONDS", min=0, help="Time between two savings.")
    ] = 120.0,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Record the strongest examples and statistics of every unit, in one pass.

    Ctrl-C saves what was done; --resume goes on, also after a crash.

    \b
    Examples:
      actmax atlas build atlas
      actmax atlas build atlas --resume
      actmax atlas build small --sites 'blocks.8.mlp.hook_post' --max-tokens 50000
    """
    from actmax.inputs.bos import bos_id, bos_policy
    from actmax.results.store import prepare_out

    policy = bos_policy(bos)
    prepare_out(folder)
    opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
    from actmax.atlas.atlas import Atlas
    from actmax.atlas.build import AtlasSettings, build_atlas
    from actmax.corpus.corpus import open_corpus
    from actmax.corpus.windows import windows_of
    from actmax.observation.recorder import keep_memory

    keep_memory()
    most = max_tokens or None
    with stage_bar(quiet=quiet, tokens_in="recording tokens") as progress:
        tokens = open_corpus(corpus, opened.tokenizer, field=field, max_tokens=most, progress=progress)
        windows = windows_of(
            tokens,
            length=min(window, opened.context),
            bos=bos_id(opened.tokenizer, policy),
            max_tokens=most,
        )
        settings = AtlasSettings(tuple(sites), top, context, include_sinks)
        build_atlas(
            opened, windows, folder, settings, resume=resume, save_every=save_every, progress=progress
        )
    manifest = Atlas.open(folder).manifest
    if json:
        emit_json(manifest)
        return
    from rich.markup import escape

    from actmax.legible import legible

    screen, read = console(json=json, quiet=quiet), manifest["corpus"]
    screen.print(
        f"{manifest['units']:,} units of {escape(manifest['model'])} over {read['tokens']:,} tokens of"
        f" {escape(read['name'])} in {escape(str(folder))}"
    )
    for phrase in read["skipped"]:
        screen.print(escape(legible(phrase)), style="yellow")
    if read["attribution"]:
        screen.print(escape(legible(read["attribution"])))


@app.command("show")
def show(
    folder: FolderArgument,
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="Such as blocks.8.mlp.hook_post:1022.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show a unit's statistics and strongest examples.

    \b
    Example:
      actmax atlas show atlas blocks.8.mlp.hook_post:1022
    """
    from dataclasses import asdict

    from actmax.atlas.atlas import Atlas

    atlas = Atlas.open(folder)
    found = atlas.unit(unit)
    if json:
        plain: dict[str, Any] = asdict(found)
        plain["percentiles"] = {f"{percent:g}": value for percent, value in found.percentiles.items()}
        emit_json({"schema": "actmax.atlas-unit/1", "model": atlas.manifest["model"], **plain})
        return
    from rich.text import Text

    screen = console(json=json, quiet=quiet)
    for line in _statistics(found, atlas.manifest):
        screen.print(Text(line))
    for title, examples in (("Strongest", found.top), ("Weakest", found.bottom)):
        screen.print(Text(f"\n{title}, one a document"))
        for example in examples:
            screen.print(
                _line(example, plain=not screen.is_terminal), no_wrap=True, crop=False, overflow="ignore"
            )
    if atlas.manifest["corpus"]["attribution"]:
        screen.print(Text("\n" + atlas.manifest["corpus"]["attribution"]))


@app.command("find")
def find(
    folder: FolderArgument,
    text: Annotated[
        str, typer.Option("--text", metavar="REGEX", help="What the token at the peak has to match.")
    ],
    bottom: Annotated[bool, typer.Option("--bottom", help="Look at the weakest examples instead.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Units to list.")] = 50,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find units whose strongest examples are at tokens that match.

    \b
    Examples:
      actmax atlas find atlas --text '^ ?[0-9]+$'
      actmax atlas find atlas --text '(?i)war'
    """
    from dataclasses import asdict

    from actmax.atlas.atlas import Atlas

    found = Atlas.open(folder).find(text, end="bottom" if bottom else "top", limit=limit)
    if json:
        emit_json({"schema": "actmax.atlas-find/1", "text": text, "units": [asdict(one) for one in found]})
        return
    from rich.text import Text

    screen = console(json=json, quiet=quiet)
    if not found:
        screen.print("No unit's examples match.")
    for one in found:
        tokens = " ".join(repr(token) for token in one.tokens[:6])
        screen.print(
            Text(f"{one.unit:34} {one.matches:3d} of {one.of}  {one.max:10.3f}  {tokens}"), soft_wrap=True
        )


def _statistics(found: AtlasUnit, manifest: Any) -> list[str]:
    read = manifest["corpus"]
    shares = "  ".join(f"{percent:g} %: {value:.3g}" for percent, value in found.percentiles.items())
    return [
        f"{found.unit} of {manifest['model']} over {found.count:,} positions of {read['name']}"
        f" (text {read['sha256'][:12]})",
        f"mean {found.mean:.4g}  std {found.std:.4g}  min {found.min:.4g}  max {found.max:.4g}"
        f"  above zero {found.density:.2%}",
        f"percentiles (from one position in {manifest['histogram_every']}): {shares}",
    ]


def _line(example: AtlasExample, *, plain: bool) -> Any:
    """One example on one line, what is not printable as its escape; the token is marked."""
    from rich.text import Text

    def legible(text: str) -> str:
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

    before, after = legible(example.text_before)[-_BEFORE:], legible(example.text_after)[:_AFTER]
    line = Text(f"{example.activation:10.3f}  {before:>{_BEFORE}}")
    token = legible(example.token)
    line.append(f"‹{token}›" if plain else token, style="bold reverse")
    line.append(after)
    return line
