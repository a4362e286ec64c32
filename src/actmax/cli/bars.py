"""Progress lines on stderr: drawn only where that is a terminal, and gone when the work is done."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from actmax.progress import Progress, silent


@contextlib.contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress]:
    """For fetching, converting and loading, in bytes."""
    if _unseen(quiet):
        yield silent
        return
    from rich.progress import BarColumn, DownloadColumn

    with _bar(_spinner(), _words(), BarColumn(), DownloadColumn()) as (bar, task):

        def tell(stage: str, done: int, total: int | None) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        yield tell


@contextlib.contextmanager
def step_bar(*, quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """For a search: step, total and a word on how it goes."""
    if _unseen(quiet):
        yield lambda index, total, note: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    with _bar(BarColumn(), MofNCompleteColumn(), _words(), TimeRemainingColumn()) as (bar, task):

        def tell(index: int, total: int, note: str) -> None:
            bar.update(task, description=note, completed=index, total=total)

        yield tell


@contextlib.contextmanager
def stage_bar(*, quiet: bool, tokens_in: str = "") -> Iterator[Progress]:
    """For work of several stages, each with its own count and time left.

    Args:
        quiet: say nothing.
        tokens_in: the stage that counts tokens, whose speed is shown.
    """
    if _unseen(quiet):
        yield silent
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    speed = TextColumn("{task.fields[speed]}", markup=False)
    columns = (_spinner(), _words(), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    now = [""]
    with _bar(*columns, speed="") as (bar, task):

        def tell(stage: str, done: int, total: int | None) -> None:
            if stage != now[0]:
                bar.reset(task)
                now[0] = stage
            bar.update(task, description=stage, completed=done, total=total)
            rate = bar.tasks[0].speed if stage == tokens_in else None
            bar.update(task, speed=f"{rate:,.0f} tokens/s" if rate else "")

        yield tell


def _unseen(quiet: bool) -> bool:
    return quiet or not sys.stderr.isatty()


def _spinner() -> Any:
    from rich.progress import SpinnerColumn

    return SpinnerColumn()


def _words() -> Any:
    from rich.progress import TextColumn

    return TextColumn("{task.description}", markup=False)


@contextlib.contextmanager
def _bar(*columns: Any, **fields: Any) -> Iterator[tuple[Any, Any]]:
    """A line with one task, and that task."""
    from rich.console import Console
    from rich.progress import Progress as Line

    with Line(*columns, console=Console(stderr=True), transient=True) as line:
        yield line, line.add_task("", total=None, **fields)
