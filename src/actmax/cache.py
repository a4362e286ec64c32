"""The cache directory: where it is, who may write to it, and how large it is.

A lock file makes two processes that want the same thing take turns; :mod:`actmax.files` writes files whole
or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from actmax.files import refusal, refusals

CACHE_VARIABLE = "ACTMAX_CACHE"
REMEDY = f"set {CACHE_VARIABLE} to another folder"
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


def plain_os_errors(doing: str, where: Path) -> AbstractContextManager[None]:
    """Turn errors of the operating system while ``doing`` something at ``where`` into a sentence."""
    return refusals(where, REMEDY, doing=doing)


def os_reason(doing: str, error: OSError, where: Path) -> str:
    """The sentence for an error met while ``doing`` something under ``where`` in the cache."""
    return refusal(error, where, REMEDY, doing=doing)


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


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def bytes_under(folder: Path) -> int:
    """The number of bytes in all files under ``folder`` (or in the file itself); vanished files count as
    0."""
    if folder.is_file():
        return folder.stat().st_size
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(root, name).lstat().st_size
    return total
