"""Files: written whole or not at all, and what the operating system refuses as one sentence.

Everything is written beside its target, on the same file system, and moved into place with one rename when
its last byte is on the disk. A reader sees the whole thing or nothing, and a failure or an interruption
leaves what was there before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from actmax.errors import ActmaxError

FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)
"""Codes of the operating system: no space, no permission, a file where a folder should be."""


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary file name beside ``target``; what is written there replaces ``target`` at the end."""
    temporary = target.with_name(f".{target.name}-{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step, when its last byte is on the disk."""
    with replacing(path) as temporary:
        _write(temporary, content)


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` (name to content) into ``folder``: all of them, or none.

    They are moved into place from the last to the first, so put the file first whose presence means that
    everything is there. The folder is made where it is missing, and removed again when writing fails.
    """
    with _made(folder), contextlib.ExitStack() as stack:
        for name, content in files.items():
            _write(stack.enter_context(replacing(folder / name)), content)


@contextlib.contextmanager
def placing(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target``; what it holds under ``target.name`` at the end is moved there.

    The folder is removed in every case, and so are those of earlier processes that were killed: call this
    only while holding the lock of ``target``. An existing folder at ``target`` is replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield workshop
        if target.is_dir():
            target.replace(workshop / ".old")
        (workshop / target.name).replace(target)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


@contextlib.contextmanager
def refusals(where: Path, remedy: str, *, doing: str = "", then: str = "") -> Iterator[None]:
    """What the operating system refuses in the body, as a sentence.

    Args:
        where: the file or folder.
        remedy: what to do besides freeing space or changing permissions (``give --out another folder``).
        doing: what failed (``Tokenising the corpus``), where the sentence begins with it.
        then: what is safe all the same, where the sentence ends with it.

    Raises:
        ActmaxError: in place of an :class:`OSError`.
    """
    try:
        yield
    except OSError as error:
        raise ActmaxError(refusal(error, where, remedy, doing=doing, then=then)) from error


def refusal(error: OSError, where: Path, remedy: str, *, doing: str = "", then: str = "") -> str:
    """The sentence of :func:`refusals`."""
    place = repr(str(where))
    if error.errno in FULL:
        said = f"no space is left at {place}; free some, or {remedy}"
    elif error.errno in FORBIDDEN:
        said = f"{place} cannot be written to; change its permissions, or {remedy}"
    elif error.errno in NO_FOLDER:
        said = f"{place} cannot be written to, as it is a file or lies below one; {remedy}"
    else:
        said = f"{place} cannot be written to ({error.strerror or error}); {remedy}"
    begun = f"{doing} failed: {said}" if doing else f"{said[0].upper()}{said[1:]}"
    return f"{begun}; {then}." if then else f"{begun}."


def unreadable(error: OSError, path: Path) -> ActmaxError:
    """The error for a file that cannot be read."""
    return ActmaxError(f"{str(path)!r} cannot be read ({error.strerror or error}).")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # a disk that turns out to be full says so here, not after the move


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """``folder`` with its parents; those that were missing go again, if empty, where the body fails."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for place in missing:
            with contextlib.suppress(OSError):
                place.rmdir()
        raise
