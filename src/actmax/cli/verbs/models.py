"""``actmax models``: what is cached, how large, with which hashes; ``actmax models fetch`` gets it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from actmax.cli.bar import progress_bar
from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, Seed
from actmax.cli.terminal import console, emit_json, write_result
from actmax.errors import ActmaxError
from actmax.settings import Settings

if TYPE_CHECKING:
    from actmax.api.models import CacheListing

ActionArgument = Annotated[
    str | None, typer.Argument(metavar="[fetch]", help="Get NAME into the cache.", show_default=False)
]
NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="With fetch: smollm2-135m (default), wikipedia-excerpt, or a hub name.",
        show_default=False,
    ),
]


@dataclass(frozen=True, kw_only=True)
class ListSettings(Settings):
    """How what is cached is listed."""

    verify: bool = False
    """Read every file and compare its SHA-256 (takes seconds)."""


@verb("models", order=80)
def models(
    settings: ListSettings,
    machine: Machine,
    seed: Seed,
    output: Output,
    action: ActionArgument = None,
    name: NameArgument = None,
) -> None:
    """List what is cached (models, files, corpora and their tokens), with sizes and hashes; or fetch a model
    or corpus.

    Fetching verifies what comes, converts it where needed, and does nothing where it is cached already.
    With --model, only that name is listed or fetched.

    Examples:
      actmax models
      actmax models --verify --json
      actmax models fetch
      actmax models fetch wikipedia-excerpt
    """
    if action == "fetch":
        if name is not None and machine.model not in (None, name):
            raise ActmaxError(f"Both {name!r} and --model {machine.model!r} are given; give one of them.")
        _fetch(name or machine.model, machine.dtype, output)
    elif action is not None:
        raise ActmaxError(f"`actmax models` knows no {action!r}; leave it out, or write fetch.")
    else:
        _list(machine.model, settings, output)


def _list(name: str | None, settings: ListSettings, output: Output) -> None:
    from actmax.api.models import models as look

    listing = look(name, verify=settings.verify)
    write_result(output.out, listing)
    if output.json:
        emit_json(listing)
    else:
        _show(listing, quiet=output.quiet)
    damaged = [row for row in listing["items"] if row["whole"] is False]
    if damaged:
        raise ActmaxError(
            f"The cached {damaged[0]['name']!r} is damaged; delete {damaged[0]['path']!r} and fetch it again."
        )


def _show(listing: CacheListing, *, quiet: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("name", "kind", "size", "SHA-256 or revision"):
        table.add_column(title, justify="right" if title == "size" else "left", no_wrap=True)
    for row in listing["items"]:
        mark = row["sha256"] or row["revision"] or ""
        verdict = {None: "", True: " ok", False: " DAMAGED"}[row["whole"]]
        table.add_row(escape(row["name"]), row["kind"], _size(row["bytes"]), mark[:16] + verdict)
    for name in listing["not_fetched"]:
        table.add_row(escape(name), "", "", f"not fetched: actmax models fetch {name}")
    screen = console(json=False, quiet=quiet)
    screen.print(table)
    screen.print(f"{_size(listing['cache_bytes'])} in {escape(listing['cache'])}")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _fetch(name: str | None, dtype: str, output: Output) -> None:
    with progress_bar(quiet=output.quiet) as progress:
        progress("starting", 0, None)
        from actmax.api.models import attribution, fetch

        listing = fetch(name, dtype=dtype, progress=progress)
    write_result(output.out, listing)
    if output.json:
        emit_json(listing)
    from rich.markup import escape

    size = sum(int(str(row["bytes"])) for row in listing["items"])
    owner = attribution(listing["fetched"])
    words = f"{listing['fetched']} is ready, {_size(size)}{f' ({owner})' if owner else ''}."
    console(json=output.json, quiet=output.quiet).print(escape(words))
