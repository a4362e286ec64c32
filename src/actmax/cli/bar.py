"""The progress line on stderr: drawn only where that is a terminal, and gone when the work is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from actmax.cli.hush import terminal_stderr
from actmax.progress import Counted, Progress, silent


@contextlib.contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress]:
    """A line with the stage, a bar, the count, the speed where tokens are counted, and the time left."""
    screen = terminal_stderr()
    if quiet or not screen.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Line

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(),
    )
    with Line(*columns, console=Console(file=screen), transient=True) as line:
        task = line.add_task("starting", total=None, count="", note="")
        now = [""]

        def show(stage: str, done: int, total: int | None, *, unit: Counted = "", note: str = "") -> None:
            if stage != now[0]:
                line.reset(task)
                now[0] = stage
            line.update(task, description=stage, completed=done, total=total)
            speed = line.tasks[0].speed if unit == "tokens" else None
            rate = f"{speed:,.0f} tokens/s" if speed else ""
            line.update(task, count=_count(done, total, unit), note=" ".join(filter(None, (note, rate))))

        yield show


def _count(done: int, total: int | None, unit: Counted) -> str:
    """``3/10``, ``12.5/90.0 MB``; empty where there is nothing to count."""
    if unit == "bytes":
        whole = "" if total is None else f"/{total / 1e6:,.1f}"
        return f"{done / 1e6:,.1f}{whole} MB"
    if total is None:
        return f"{done:,}" if done else ""
    return f"{done:,}/{total:,}"
