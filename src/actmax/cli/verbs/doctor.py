"""``actmax doctor``: what this machine has, what would fail, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actmax.cli.registry import verb
from actmax.cli.shared import Machine, Output, Seed
from actmax.cli.terminal import console, emit_json, write_result
from actmax.errors import ActmaxError
from actmax.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from actmax.api.doctor import Examined, Relation

_MARKS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


@dataclass(frozen=True, kw_only=True)
class DoctorSettings(Settings):
    """How much is examined."""

    deep: bool = False
    """Load the model and check how hooks and hidden states are related."""


@verb("doctor", order=100)
def doctor(settings: DoctorSettings, machine: Machine, seed: Seed, output: Output) -> None:
    """Say what this machine has, what would fail here, and what to do about it.

    Nothing is fetched or changed, but with --deep the model is loaded (fetched, where it is not there yet).
    Exit code 2 where something essential is broken.

    Examples:
      actmax doctor
      actmax doctor --device cuda --json
      actmax doctor --deep --model gpt2
    """
    import actmax.api.doctor as api

    machine.limit_threads()
    findings = api.examine(model=machine.model, device=machine.device, dtype=machine.dtype)
    broken = [finding for finding in findings if finding.state == "broken"]
    listing: dict[str, Any] = {
        "schema": "actmax.doctor/1",
        "healthy": not broken,
        "findings": [{"name": f.name, "state": f.state, "found": f.found, "mend": f.mend} for f in findings],
    }
    relations: Sequence[Relation] = ()
    if settings.deep:
        opened = machine.load(quiet=output.quiet)
        relations = api.relations_of(opened, seed.seed)
        listing |= {"model": opened.name, "relations": api.relations_to_json(relations)}
        listing["healthy"] = not broken and all(one.holds for one in relations)
    write_result(output.out, listing)
    if output.json:
        emit_json(listing)
    else:
        screen = console(json=output.json, quiet=output.quiet)
        _show(findings, screen)
        _show_relations(relations, screen)
    if failed := [one for one in relations if not one.holds]:
        raise ActmaxError(
            f"{failed[0].name}: {failed[0].says}, but {failed[0].where} deviates by"
            f" {failed[0].deviation:.3g}; try --dtype float32, or report the family as unsupported."
        )
    if broken:
        more = f" ({len(broken) - 1} more)" if len(broken) > 1 else ""
        raise ActmaxError(f"{broken[0].name}: {broken[0].found}; {broken[0].mend}{more}.")


def _show(findings: Sequence[Examined], screen: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        remedy = f" → {finding.mend}" if finding.mend else ""
        table.add_row(_MARKS[finding.state], escape(finding.name), escape(finding.found + remedy))
    screen.print(table)


def _show_relations(relations: Sequence[Relation], screen: Console) -> None:
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
    screen.print()
    screen.print(table)
