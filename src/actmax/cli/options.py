"""The options that every verb has, and where its words go.

Results for a person go to stdout, unless ``--json`` or ``--quiet``; with ``--json`` stdout holds JSON and
nothing else. Progress is drawn on stderr, only where that is a terminal, and removed when done, so that what
stays on stderr is an error's one sentence.
"""

from __future__ import annotations

import contextlib
import json as json_format
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actmax.errors import ActmaxError
from actmax.fetch.progress import Progress, silent

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
    from actmax.fetch.cache import replacing

    if out is None:
        return
    text = json_format.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "result.json") as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ActmaxError(
            f"The result cannot be written to {str(out)!r} ({error.strerror}); give --out another folder."
        ) from error


@contextlib.contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress]:
    """A progress line on stderr for fetching, converting and loading; silent where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(stage: str, done: int, total: int | None) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        yield show


def open_model(name: str | None, *, device: str, dtype: str, quiet: bool) -> Model:
    """The model that ``--model``, ``--device`` and ``--dtype`` ask for, with a progress line while it loads.

    Raises:
        ActmaxError: as :func:`actmax.models.load.load`.
    """
    with progress_bar(quiet=quiet) as progress:
        progress("starting", 0, None)
        from actmax.models.load import load

        return load(name, device=device, dtype=dtype, progress=progress)


@contextlib.contextmanager
def step_bar(*, quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """A progress line on stderr for a search: step, total and a word on how it goes."""
    if quiet or not sys.stderr.isatty():
        yield lambda index, total, note: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(index: int, total: int, note: str) -> None:
            bar.update(task, description=note, completed=index, total=total)

        yield show
