"""Run the command line of a checkout, many times in a row, without importing anything from it here.

Starting Python, torch and transformers takes longer than most of the command lines that are compared. So one
process per checkout imports the *libraries* (nothing of actmax) and forks for every command line; the child
runs ``python -m actmax ARGUMENTS`` as a fresh interpreter with ``PYTHONPATH=CHECKOUT/src`` would.

    with Checkout(Path("old")) as old:
        done = old.run(["maximize", "hidden_states.4:90", "--out", "out"], folder)
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import runpy
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

LIBRARIES = (
    "torch",
    "transformers.modeling_utils",
    "transformers.models.llama.modeling_llama",
    "matplotlib.figure",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.linear_model",
)
"""What is imported once, before forking; those that are missing are left out."""
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
SHARED = ("assets", "models", "locks")
"""Folders of the user's cache that every run may use: what was fetched and converted once."""
LINKED = ("*.journal",)
"""Files that are deleted when a search ends well; a hard link keeps what was written to them."""
_POLL = 0.03


@dataclass(frozen=True)
class Done:
    """A command line that has ended."""

    code: int
    seconds: float
    """Wall time, without the start of Python and the libraries."""
    cpu: float
    """Processor time of the same, user and system: on a busy machine the steadier of the two."""
    stdout: str
    stderr: str


def user_cache() -> Path:
    """The user's cache folder, where actmax keeps the default model."""
    shared = os.environ.get("XDG_CACHE_HOME")
    default = Path(shared) / "actmax" if shared else Path.home() / ".cache" / "actmax"
    return Path(os.environ.get("ACTMAX_CACHE", default)).expanduser()


def private_cache(folder: Path, corpora: Path | None = None) -> Path:
    """A cache in ``folder`` that shares the model with the user's but remembers no measurements.

    A run may use what an earlier run measured (the corpus maximum of a unit), so its result depends on what
    is in the cache; with a cache of its own it doesn't.

    Args:
        folder: where the cache is made.
        corpora: a folder for tokenised corpora, shared by the runs of one checkout.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shared = {name: user_cache() / name for name in SHARED}
    if corpora is not None:
        shared["corpora"] = corpora
    for name, target in shared.items():
        target.mkdir(parents=True, exist_ok=True)
        if not (folder / name).exists():
            (folder / name).symlink_to(target.absolute(), target_is_directory=True)
    return folder


class Checkout:
    """A checkout whose command line can be run; a context manager."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        """A checkout with ``src/actmax`` in it.

        Raises:
            SystemExit: there is no such folder.
        """
        self.folder = folder.absolute()
        self._python = python
        if not (self.folder / "src" / "actmax").is_dir():
            raise SystemExit(f"{str(folder)!r} is not a checkout of actmax: it has no src/actmax")

    def __enter__(self) -> Checkout:
        source = str(self.folder / "src")
        self._server = subprocess.Popen(
            [self._python, str(Path(__file__).absolute()), "--serve", source],
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": source},
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._server.stdin.close()
        self._server.wait()

    def run(self, arguments: Sequence[str], folder: Path, cache: Path | None = None) -> Done:
        """Run ``actmax ARGUMENTS`` in ``folder``.

        Args:
            arguments: the command line without the program's name.
            folder: the current directory of the run; it is made where it is missing.
            cache: the cache directory; None is the user's.

        Raises:
            SystemExit: the process that forks has ended.
        """
        folder.mkdir(parents=True, exist_ok=True)
        job = {
            "arguments": list(arguments),
            "folder": str(folder.absolute()),
            "cache": cache and str(cache.absolute()),
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        if not answer:
            raise SystemExit(f"actmax of {self.folder} could not be started: is it importable?")
        plain = json.loads(answer)
        return Done(**plain)


def serve(source: str) -> None:
    """Read one job a line from stdin, fork for each, and answer one line each on stdout."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    found = importlib.util.find_spec("actmax")
    if found is None or not str(found.origin).startswith(source):
        raise SystemExit(f"actmax would be imported from {found and found.origin}, not from {source}")
    for line in sys.stdin:
        answers.write(json.dumps(_job(json.loads(line))) + "\n")
        answers.flush()


def _job(job: dict[str, Any]) -> dict[str, Any]:
    """Fork, wait, and keep hard links of the journals that appear meanwhile."""
    folder = Path(job["folder"])
    paths = [folder / ".stdout", folder / ".stderr"]
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        _child(job, paths)
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        _link_journals(folder)
        if ended:
            break
        time.sleep(_POLL)
    seconds = time.perf_counter() - began
    out, err = (path.read_text(errors="replace") for path in paths)
    for path in paths:
        path.unlink()
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "stdout": out,
        "stderr": err,
    }


def _link_journals(folder: Path) -> None:
    for pattern in LINKED:
        for path in folder.rglob(pattern):
            kept = path.with_name(path.name + ".kept")
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                os.link(path, kept)


def _child(job: dict[str, Any], paths: Sequence[Path]) -> None:
    """Become ``python -m actmax ARGUMENTS``; never returns."""
    code = 1
    try:
        os.chdir(job["folder"])
        for number, path in zip((1, 2), paths, strict=True):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        if job["cache"]:
            os.environ["ACTMAX_CACHE"] = job["cache"]
        sys.argv = ["actmax", *job["arguments"]]
        runpy.run_module("actmax", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__" and sys.argv[1:2] == ["--serve"]:
    serve(sys.argv[2])
