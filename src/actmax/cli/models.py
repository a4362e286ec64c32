"""``actmax models``: what is cached, how large, with which hashes; ``actmax models fetch`` gets it there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from actmax.cli.bars import progress_bar
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
    write_result,
)
from actmax.errors import ActmaxError


def models(
    action: Annotated[
        str | None, typer.Argument(metavar="[fetch]", help="Get NAME into the cache.", show_default=False)
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="With fetch: smollm2-135m (default), wikipedia-excerpt, or a hub name.",
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file and compare its SHA-256 (takes seconds).")
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List what is cached (models, files, corpora and their tokens), with sizes and hashes; or fetch a model
    or corpus.

    Fetching verifies what comes, converts it where needed, and does nothing where it is cached already.
    With --model, only that name is listed or fetched.

    \b
    Examples:
      actmax models
      actmax models --verify --json
      actmax models fetch
      actmax models fetch wikipedia-excerpt
    """
    if action == "fetch":
        if name is not None and model not in (None, name):
            raise ActmaxError(f"Both {name!r} and --model {model!r} are given; give one of them.")
        _fetch(name or model, dtype, out, json=json, quiet=quiet)
    elif action is not None:
        raise ActmaxError(f"`actmax models` knows no {action!r}; use it alone or with fetch.")
    else:
        _list(model, out, verify=verify, json=json, quiet=quiet)


def _list(model: str | None, out: Path | None, *, verify: bool, json: bool, quiet: bool) -> None:
    from actmax.assets.known import ASSETS
    from actmax.cache import bytes_under, cache_dir
    from actmax.models.cached import cached_items

    items = [item for item in cached_items() if model in (None, item.name)]
    rows: list[dict[str, Any]] = [
        {
            "kind": item.kind,
            "name": item.name,
            "bytes": item.bytes,
            "sha256": item.sha256,
            "source_sha256": item.source_sha256,
            "revision": item.revision,
            "path": str(item.path),
            "whole": item.whole if verify else None,
        }
        for item in items
    ]
    fetched = {item.name for item in items if item.kind in ("model", "file")}
    fetchable = [name for name in ASSETS if name not in fetched]
    listing = {
        "schema": "actmax.models/1",
        "cache": str(cache_dir()),
        "cache_bytes": bytes_under(cache_dir()),
        "items": rows,
        "not_fetched": fetchable,
    }
    write_result(out, listing)
    if json:
        emit_json(listing)
    else:
        _show(listing, quiet=quiet)
    damaged = [row["name"] for row in rows if row["whole"] is False]
    if damaged:
        path = next(row["path"] for row in rows if row["whole"] is False)
        raise ActmaxError(f"The cached {damaged[0]!r} is damaged; delete {path!r} and fetch it again.")


def _show(listing: dict[str, Any], *, quiet: bool) -> None:
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


def _fetch(name: str | None, dtype: str, out: Path | None, *, json: bool, quiet: bool) -> None:
    with progress_bar(quiet=quiet) as progress:
        progress("starting", 0, None)
        from actmax.assets.asset import fetch_asset
        from actmax.assets.known import ASSETS, SMOLLM2

        wanted = name or SMOLLM2.name
        if wanted == SMOLLM2.name:
            from actmax.models.default import default_model_dir

            default_model_dir(progress)
        elif wanted in ASSETS:
            fetch_asset(ASSETS[wanted], progress)
        else:
            from actmax.models.load import load

            load(wanted, device="cpu", dtype=dtype, progress=progress)
    from actmax.models.cached import cached_items

    rows = [
        {
            "kind": item.kind,
            "name": item.name,
            "bytes": item.bytes,
            "sha256": item.sha256,
            "path": str(item.path),
        }
        for item in cached_items()
        if item.name == wanted and item.kind in ("model", "file", "hub")
    ]
    listing = {"schema": "actmax.models/1", "fetched": wanted, "items": rows}
    write_result(out, listing)
    if json:
        emit_json(listing)
    from rich.markup import escape

    size = sum(int(str(row["bytes"])) for row in rows)
    attribution = f" ({ASSETS[wanted].attribution})" if wanted in ASSETS else ""
    console(json=json, quiet=quiet).print(escape(f"{wanted} is ready, {_size(size)}{attribution}."))
