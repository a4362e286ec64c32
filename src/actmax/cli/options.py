"""The options that every verb has, those of the verbs that read text, and where their words go.

Results for a person go to stdout, unless ``--json`` or ``--quiet``; with ``--json`` stdout holds JSON and
nothing else. Progress is drawn on stderr (:mod:`actmax.cli.bars`), so that what stays there is an error's one
sentence.
"""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actmax.cli.bars import progress_bar

if TYPE_CHECKING:
    from rich.console import Console

    from actmax.models.model import Model

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="A hub name (gpt2), a directory of safetensors, or a .gguf file; the default is smollm2-135m.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:0 or mps.")
]
DtypeOption = Annotated[
    str, typer.Option("--dtype", metavar="DTYPE", help="float32, float64, bfloat16 or float16.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Everything random is drawn from this.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Also write the result into this folder.", show_default=False),
]
CorpusOption = Annotated[
    list[str],
    typer.Option(
        "--corpus",
        "-c",
        metavar="NAME|PATH",
        help="wikipedia-excerpt, a file (.txt, .md, .jsonl, .json, .csv, .tsv, .parquet and the like, also"
        " with .gz or .zst), a folder, - for stdin, or hf:NAME; may be given again.",
    ),
]
FieldOption = Annotated[
    str, typer.Option("--field", metavar="NAME", help="Field of JSON, or column of a table, with the text.")
]
BosOption = Annotated[
    str, typer.Option("--bos", metavar="POLICY", help="Begin what is read with BOS: auto, always or never.")
]
MaxTokensOption = Annotated[
    int,
    typer.Option(
        "--max-tokens", metavar="N", min=0, help="Tokens to read, spread over the corpus; 0 for all."
    ),
]
WindowOption = Annotated[
    int, typer.Option("--window", metavar="N", min=2, help="Positions that the model reads at once.")
]
TopOption = Annotated[int, typer.Option("--top", metavar="N", min=1, help="Examples at either end.")]
ContextOption = Annotated[
    int, typer.Option("--context", metavar="N", min=0, help="Tokens of text on either side.")
]
IncludeSinksOption = Annotated[
    bool, typer.Option("--include-sinks", help="Keep attention sinks, and position 0 of windows.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def console(*, json: bool, quiet: bool) -> Console:
    """A rich console on stdout that says nothing with ``--json`` or ``--quiet``.

    Text from outside (names, tokens, paths) must go through :func:`rich.markup.escape` or a ``Text``.
    """
    from rich.console import Console

    return Console(quiet=json or quiet, highlight=False, width=None if sys.stdout.isatty() else 120)


def emit_json(data: Any) -> None:
    """One JSON document on stdout; a number that JSON cannot hold (NaN) is an error of ours."""
    sys.stdout.write(json_format.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_result(out: Path | None, data: Any) -> None:
    """``result.json`` in ``out``, whole or not at all; nothing where ``out`` is None.

    Raises:
        ActmaxError: the folder cannot be made or written to, or its disk is full.
    """
    if out is not None:
        from actmax.results.store import write_json

        write_json(out / "result.json", data)


def open_model(name: str | None, *, device: str, dtype: str, quiet: bool) -> Model:
    """The model that ``--model``, ``--device`` and ``--dtype`` ask for, with a progress line while it loads.

    Where there was a choice of weight files, a line on stderr says which were read.

    Raises:
        ActmaxError: as :func:`actmax.models.load.load`.
    """
    with progress_bar(quiet=quiet) as progress:
        progress("starting", 0, None)
        from actmax.models.load import load

        model = load(name, device=device, dtype=dtype, progress=progress)
    if model.source.note and not quiet:
        typer.echo(f"actmax: {model.source.note}", err=True)
    return model
