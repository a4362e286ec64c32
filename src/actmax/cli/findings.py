"""Numbers with their controls as tables, and how a verb that measures ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actmax.cli.options import console, emit_json
from actmax.errors import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from actmax.results.finding import Check, Number


def tell_numbers(screen: Console, numbers: Sequence[Number]) -> None:
    """One row a number: its value, its controls, and what it means."""
    from rich.table import Table
    from rich.text import Text

    from actmax.report.finding import styled

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("number", "value", "controls", "in words"):
        table.add_column(title, justify="right" if title == "value" else "left", overflow="fold")
    for one in numbers:
        controls = "\n".join(
            f"{styled(control.value, one.style)} {control.label}"
            + ("" if control.p is None else f" (p = {control.p:.2g})")
            for control in one.controls
        )
        table.add_row(Text(one.label), styled(one.value, one.style), Text(controls), Text(one.says))
    screen.print(table)


def tell_checks(screen: Console, checks: Sequence[Check]) -> None:
    """Each check with its answer, its numbers and its sentence."""
    for check in checks:
        screen.print()
        screen.print(f"{check.assumption}: {check.answer} ({check.standing})", markup=False, style="bold")
        if check.numbers:
            tell_numbers(screen, check.numbers)
        screen.print(check.sentence, markup=False)


@contextlib.contextmanager
def nothing_kept(before: str) -> Iterator[None]:
    """Where Ctrl-C leaves nothing to keep, the sentence says so.

    Raises:
        Interrupted: in place of the interruption.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted before {before}; nothing is kept.") from None


def finish(result: Any, out: Path | None, *, json: bool, quiet: bool) -> None:
    """Write the result, print it as JSON where asked, and leave with 130 where it was interrupted."""
    if out is not None:
        result.save(out)
    if json:
        emit_json(result.to_json())
    elif out is not None:
        console(json=json, quiet=quiet).print(f"\nReport: {out / 'report.html'}", markup=False)
    if not result.complete:
        kept = f"is in {str(out)!r}" if out is not None else "is shown; give --out DIR to keep it"
        raise Interrupted(f"Interrupted; what was done {kept}.")
