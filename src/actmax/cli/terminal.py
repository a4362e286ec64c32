"""Where results go: text for a person on stdout, or one JSON document and nothing else.

Progress is drawn on stderr (:mod:`actmax.cli.bar`), so what stays there is an error's one sentence. Text from
outside (names, tokens, paths) must pass through :func:`rich.markup.escape` or be a ``Text``.
"""

from __future__ import annotations

import contextlib
import json as json_format
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from actmax.errors import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from actmax.cli.shared import Output


@runtime_checkable
class Finished(Protocol):
    """What every verb's result can do."""

    @property
    def complete(self) -> bool:
        """False where the user stopped it."""

    def save(self, folder: Path) -> object:
        """Write all files into a folder."""

    def to_json(self) -> Any:
        """What ``result.json`` holds."""


def console(*, json: bool, quiet: bool) -> Console:
    """A rich console on stdout that says nothing with ``--json`` or ``--quiet``."""
    from rich.console import Console

    return Console(quiet=json or quiet, highlight=False, width=None if sys.stdout.isatty() else 120)


def emit_json(data: Any) -> None:
    """One JSON document on stdout; a number that JSON cannot hold (NaN) is a bug of actmax."""
    sys.stdout.write(json_format.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_result(out: Path | None, data: Any) -> None:
    """``result.json`` in ``out``, whole or not at all; nothing where ``out`` is None.

    Raises:
        ActmaxError: the folder cannot be made or written to, or its disk is full.
    """
    if out is not None:
        from actmax.results.store import write_json

        write_json(out / "result.json", data)


def finish(
    result: Finished, output: Output, show: Callable[[Console], None], *, done: str = "", resume: str = ""
) -> None:
    """Save a result, show it or print its JSON, and leave with 130 where it was interrupted.

    Args:
        result: of a verb.
        output: where it goes.
        show: writes it for a person.
        done: what was done before the interruption, for example "12 steps".
        resume: how the work is continued, for the sentence; empty where it cannot be.

    Raises:
        Interrupted: the result is not complete.
    """
    if output.out is not None:
        result.save(output.out)
    if output.json:
        emit_json(result.to_json())
    else:
        screen = console(json=output.json, quiet=output.quiet)
        show(screen)
        if output.out is not None:
            screen.print(f"\nReport: {output.out / 'report.html'}", markup=False)
    if not result.complete:
        kept = "is shown; give --out DIR to save it" if output.out is None else f"is in {str(output.out)!r}"
        after = f" after {done}" if done else ""
        more = f", {resume}" if resume and output.out is not None else ""
        raise Interrupted(f"Interrupted{after}; what was done {kept}{more}.")


@contextlib.contextmanager
def nothing_saved(before: str) -> Iterator[None]:
    """Where Ctrl-C leaves nothing to save, the sentence says so.

    Raises:
        Interrupted: in place of the interruption.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted before {before}; nothing is saved.") from None
