"""The cache directory: where it is, and how a file or folder gets into it whole or not at all.

Everything is written into a temporary folder beside its target, on the same file system, and moved into place
with one rename. A reader therefore sees the whole thing or nothing, and a failure or an
interruption leaves nothing behind. A lock file makes two processes that want the same thing take turns.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from actmax.errors import ActmaxError

CACHE_VARIABLE = "ACTMAX_CACHE"
_CHUNK = 1 << 20


def cache_dir() -> Path:
    """The folder that holds everything fetched or converted; it need not exist yet.

    ``$ACTMAX_CACHE``, else ``$XDG_CACHE_HOME/actmax``, else the platform's place for a user's caches.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared and Path(shared).is_absolute():
        return Path(shared) / "actmax"
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "actmax"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "actmax" / "Cache"
    return home / ".cache" / "actmax"


@contextlib.contextmanager
def plain_os_errors(doing: str, where: Path) -> Iterator[None]:
    """Turn the operating system's refusals while ``doing`` something at ``where`` into a sentence."""
    try:
        yield
    except OSError as error:
        raise ActmaxError(f"{doing} failed: {os_reason(error, where)}") from error


def os_reason(error: OSError, where: Path) -> str:
    """What went wrong in words, with the mend, for an error met while writing under ``where``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full_disk(where)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return unwritable(where)
    return f"{error.strerror or error} ({str(where)!r})."


def full_disk(where: Path) -> str:
    """The end of a sentence: no space is left at ``where``."""
    return f"no space is left at {str(where)!r}; free some, or set {CACHE_VARIABLE} to a folder elsewhere."


def unwritable(where: Path) -> str:
    """The end of a sentence: ``where`` cannot be written to."""
    return f"{str(where)!r} cannot be written to; mend that, or set {CACHE_VARIABLE} to another folder."


@contextlib.contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock of ``target``; another process that wants the same target waits here.

    The lock is an empty file in ``locks/`` of the cache. It stays (removing it would let two processes hold
    two different files of the same name).
    """
    from filelock import FileLock

    folder = cache_dir() / "locks"
    with plain_os_errors("Making the cache", cache_dir()):
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{target.name}-{hashlib.sha256(os.fsencode(target.absolute())).hexdigest()[:12]}.lock"
        lock = FileLock(folder / name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def placing(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target``; what it holds under ``target.name`` at the end is moved there.

    The folder is removed in every case, and so are those of earlier processes that were killed: call this
    only while holding the :func:`locked` of ``target``. An existing folder at ``target`` is replaced.
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
def replacing(target: Path) -> Iterator[Path]:
    """A temporary file name beside ``target``; what is written there replaces ``target`` at the end."""
    temporary = target.with_name(f".{target.name}-{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def bytes_under(folder: Path) -> int:
    """Bytes in all files under ``folder`` (or of the file itself); vanished ones count nothing."""
    if folder.is_file():
        return folder.stat().st_size
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(root, name).lstat().st_size
    return total
