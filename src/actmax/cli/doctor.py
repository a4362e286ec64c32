"""``actmax doctor``: what this machine has, what would fail, and the mend."""

from __future__ import annotations

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
    write_result,
)
from actmax.errors import ActmaxError

if TYPE_CHECKING:
    from actmax.checks.rebuild import Relation

_MARKS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


def doctor(
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Load the model and check how hooks and hidden states are related."),
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what this machine has, what would fail here, and how to mend it.

    Nothing is fetched or changed, but with --deep the model is loaded (fetched, where it is not there yet).
    Exit code 2 where something essential is broken.

    \b
    Examples:
      actmax doctor
      actmax doctor --device cuda --json
      actmax doctor --deep --model gpt2
    """
    from actmax.cli.health import Finding, examine

    findings: list[Finding] = examine(model=model, device=device, dtype=dtype)
    listing: dict[str, Any] = {
        "schema": "actmax.doctor/1",
        "healthy": all(finding.state != "broken" for finding in findings),
        "findings": [{"name": f.name, "state": f.state, "found": f.found, "mend": f.mend} for f in findings],
    }
    relations: tuple[Relation, ...] = ()
    if deep:
        from actmax.checks.rebuild import relations as examine_deep
        from actmax.results.plain import to_plain

        opened = open_model(model, device=device, dtype=dtype, quiet=quiet)
        relations = examine_deep(opened, seed)
        listing["model"] = opened.name
        listing["relations"] = to_plain(relations)
        listing["healthy"] = listing["healthy"] and all(one.holds for one in relations)
    write_result(out, listing)
    if json:
        emit_json(listing)
    else:
        _show(findings, quiet=quiet)
        _show_relations(relations, quiet=quiet)
    if failed := [one for one in relations if not one.holds]:
        raise ActmaxError(
            f"{failed[0].name}: {failed[0].says}, but {failed[0].where} deviates by"
            f" {failed[0].deviation:.3g}; try --dtype float32, or report the family as unsupported."
        )
    broken = [finding for finding in findings if finding.state == "broken"]
    if broken:
        more = f" ({len(broken) - 1} more)" if len(broken) > 1 else ""
        raise ActmaxError(f"{broken[0].name}: {broken[0].found}; {broken[0].mend}{more}.")


def _show(findings: list[Any], *, quiet: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mend = f" → {finding.mend}" if finding.mend else ""
        table.add_row(_MARKS[finding.state], escape(finding.name), escape(finding.found + mend))
    console(json=False, quiet=quiet).print(table)


def _show_relations(relations: tuple[Relation, ...], *, quiet: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    from actmax.numbers import number

    if not relations:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("", "relation", "largest deviation", "relative", "where", "in words"):
        table.add_column(
            title, overflow="fold", justify="right" if title in ("largest deviation", "relative") else "left"
        )
    for one in relations:
        mark = "ok" if one.holds else "BROKEN"
        row = (mark, one.name, number(one.deviation), number(one.relative), one.where, one.says)
        table.add_row(*map(escape, row))
    screen = console(json=False, quiet=quiet)
    screen.print()
    screen.print(table)
