"""What the verbs that measure show on a terminal: numbers with their controls, checks and conclusions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from actmax.numbers import formatted
from actmax.results.check import CheckResult
from actmax.results.finding import Check, Number
from actmax.results.investigate import InvestigateResult
from actmax.results.reproduce import ReproduceResult


def show_check(result: CheckResult, screen: Console) -> None:
    """Write each check with its answer, its numbers and its sentence."""
    screen.print(f"check {result.unit} of {result.model}", markup=False)
    for check in result.checks:
        screen.print()
        screen.print(_title(check), markup=False, style="bold")
        if check.numbers:
            _show_numbers(screen, check.numbers)
        screen.print(check.sentence, markup=False)
    for sentence in result.conclusion:
        screen.print(f"\n{sentence}", markup=False)


def show_investigation(result: InvestigateResult, screen: Console) -> None:
    """Write the conclusion, and the answer of each check."""
    screen.print(f"investigate {result.unit} of {result.model}\n", markup=False)
    for sentence in result.conclusion:
        screen.print(sentence, markup=False)
    screen.print()
    for check in result.checks:
        screen.print(_title(check), markup=False)


def show_reproduced(result: ReproduceResult, screen: Console) -> None:
    """Write the numbers with their controls, and the verdict."""
    words = f"reproduce {result.unit} of {result.model}, {result.method}, {len(result.runs)} runs"
    screen.print(words, markup=False)
    _show_numbers(screen, result.numbers)
    screen.print()
    screen.print(f"Verdict: {result.verdict}. {' '.join(result.conclusion)}", markup=False)


def _title(check: Check) -> str:
    return f"{check.assumption}: {check.answer} ({check.standing})"


def _show_numbers(screen: Console, numbers: Sequence[Number]) -> None:
    """One row per number: its value, its controls, and what it means."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("number", "value", "controls", "in words"):
        table.add_column(title, justify="right" if title == "value" else "left", overflow="fold")
    for one in numbers:
        controls = "\n".join(
            f"{formatted(control.value, one.style)} {control.label}"
            + ("" if control.p is None else f" (p = {control.p:.2g})")
            for control in one.controls
        )
        table.add_row(Text(one.label), formatted(one.value, one.style), Text(controls), Text(one.says))
    screen.print(table)
