"""With --quiet and --json nothing that a library writes reaches stderr."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.cli.command import environment

NOISY = """
import logging, os, subprocess, sys, warnings
import actmax.cli.verbs.doctor
import actmax.api.doctor as api

def noisy(**given):
    warnings.warn("a warning")
    logging.getLogger("transformers").error("a log line")
    from tqdm import tqdm
    list(tqdm(range(3)))
    os.write(2, b"from C++")
    subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('from a child')"])
    if "--fail" in sys.argv:
        raise ZeroDivisionError("a bug")
    return []

api.examine = noisy
from actmax.cli.main import main
sys.exit(main([one for one in sys.argv[1:] if one != "--fail"]))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", NOISY, "doctor", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_libraries_are_dropped_where_it_is_asked_for() -> None:
    loud = run()
    for words in ("a warning", "from C++", "from a child", "3/3"):
        assert words in loud.stderr
    for option in ("--quiet", "-q", "--json"):
        done = run(option)
        assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(run("--json").stdout)["healthy"] is True


def test_a_bug_is_still_shown() -> None:
    done = run("--json", "--fail")
    assert "ZeroDivisionError: a bug" in done.stderr
    assert "a warning" not in done.stderr


def test_a_mistake_is_still_said() -> None:
    assert run("--json", "--device", "x", "--threads", "0").stderr == (
        "actmax: --threads must be at least 1 (got 0)\n"
    )
