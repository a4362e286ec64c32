"""Running ``actmax`` in tests: in this process where that is enough, in one of its own where it matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import actmax
from actmax.cli.main import main

SOURCE = str(Path(str(actmax.__file__)).parents[1])


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The present environment with changes, in which this source tree is what ``import actmax`` finds."""
    return {**os.environ, "PYTHONPATH": SOURCE, **(changes or {})}


def actmax_process(
    *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """``python -m actmax ARGUMENTS`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "actmax", *arguments],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def is_one_sentence(stderr: str) -> bool:
    """One line, which begins with the program's name and ends like a sentence; no traceback."""
    return (
        stderr.startswith("actmax: ")
        and stderr.count("\n") == 1
        and stderr.rstrip().endswith((".", ")"))
        and "Traceback" not in stderr
    )


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run in this process what must be a mistake; the sentence."""
    capsys.readouterr()
    code = main(arguments)
    captured = capsys.readouterr()
    assert code == 2, captured
    assert captured.out == ""
    assert is_one_sentence(captured.err), captured.err
    return captured.err.removeprefix("actmax: ").strip()
