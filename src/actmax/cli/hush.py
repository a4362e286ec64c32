"""Libraries made quiet: whatever they write to stderr is dropped, in one place.

Warnings, log lines and progress bars come from Python code (``warnings``, ``logging``, ``tqdm``) and from C++
and Rust (torch, tokenizers); the first write to ``sys.stderr``, the others to file descriptor 2. Both lead to
nowhere while the work runs. Errors are not lost: they are exceptions, which are shown after this has ended.
actmax's own progress line is drawn on :func:`terminal_stderr`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_STDERR = 2
_own: list[Any] = []
"""Streams to the stderr of the process, the innermost last."""


def terminal_stderr() -> Any:
    """Where actmax itself writes: stderr as it was before libraries were made quiet."""
    return _own[-1] if _own else sys.stderr


@contextlib.contextmanager
def quiet_stderr(*, wanted: bool) -> Iterator[None]:
    """Drop what is written to stderr while the body runs; nothing changes where it is not ``wanted``."""
    if not wanted:
        yield
        return
    with (
        _kept_for_actmax(),
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        _descriptor_closed(nowhere.fileno()),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


@contextlib.contextmanager
def _kept_for_actmax() -> Iterator[None]:
    """A stream to today's stderr, which stays open when descriptor 2 is replaced."""
    now = sys.stderr
    try:
        descriptor = os.dup(_STDERR) if now.fileno() == _STDERR else None
    except (OSError, ValueError, AttributeError):
        descriptor = None
    if descriptor is None:
        _own.append(now)
    else:
        _own.append(os.fdopen(descriptor, "w", encoding="utf-8", errors="replace"))
    try:
        yield
    finally:
        stream = _own.pop()
        if descriptor is not None:
            stream.close()


@contextlib.contextmanager
def _descriptor_closed(replacement: int) -> Iterator[None]:
    """File descriptor 2 replaced; left as it is where the process has none."""
    with contextlib.suppress(ValueError, OSError):
        sys.stderr.flush()
    try:
        saved = os.dup(_STDERR)
    except OSError:
        yield
        return
    os.dup2(replacement, _STDERR)
    try:
        yield
    finally:
        os.dup2(saved, _STDERR)
        os.close(saved)
