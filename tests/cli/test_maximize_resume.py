"""``actmax maximize --method`` killed, interrupted, and resumed."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.command import environment, mistake
from tests.cli.test_maximize import interrupted
from tests.cli.text_command import COMPARED, FILES, TWO, names_in, timeless

from actmax.api.journals import journals_in
from actmax.cli.main import main
from actmax.results.compare import CompareResult
from actmax.results.maximize import MaximizeResult


def killed(out: Path, journal: Path, size: int, *arguments: str) -> None:
    """A real process, killed with SIGKILL when a journal has grown to so many bytes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "actmax", *arguments, "--out", str(out)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        began = time.monotonic()
        while not (journal.exists() and journal.stat().st_size > size):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() - began < 120, "the journal does not grow"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("positions", ["last", "each"])
def test_a_comparison_that_was_killed_is_resumed(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str], positions: str
) -> None:
    """The first method had ended, the second was in the middle, the third had not begun."""
    options = ["--positions", positions, "--budget", "600"]
    options += [word for name in ("random", "gcg", "hotflip") for word in ("--method", name)]
    folder = here / "killed" / "gcg" / ("" if positions == "last" else "position-1")
    killed(here / "killed", folder / "search.journal", 4000, *command, *options)
    assert not (here / "killed" / "report.html").exists()
    assert (here / "killed" / "random" / "result.json").exists()
    assert not (here / "killed" / "gcg" / "result.json").exists()
    assert not (here / "killed" / "hotflip").exists()
    assert "was written with seed 0" in mistake(
        capsys, *command, *options, "--out", "killed", "--resume", "--seed", "1"
    )
    assert main([*command, *options, "--quiet", "--out", "killed", "--resume"]) == 0
    assert main([*command, *options, "--quiet", "--out", "whole"]) == 0
    results = [
        timeless(json.loads((here / name / "result.json").read_text(encoding="utf-8")))
        for name in ("killed", "whole")
    ]
    assert results[0] == results[1]
    assert names_in(here / "killed") == names_in(here / "whole")
    assert journals_in([here / "killed" / name for name in ("random", "gcg", "hotflip")]) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_one_search_that_was_killed_is_resumed(command: list[str], here: Path) -> None:
    options = ["--method", "hybrid", "--budget", "900"]
    killed(here / "killed", here / "killed" / "search.journal", 4000, *command, *options)
    assert names_in(here / "killed") == {"search.journal"}
    assert main([*command, *options, "--quiet", "--out", "killed", "--resume"]) == 0
    assert main([*command, *options, "--quiet", "--out", "whole"]) == 0
    one, two = (json.loads((here / name / "result.json").read_text()) for name in ("killed", "whole"))
    assert timeless(one) == timeless(two)
    assert names_in(here / "killed") == FILES


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT and a pseudo-terminal")
def test_ctrl_c_leaves_what_can_be_resumed(command: list[str], here: Path) -> None:
    options = ["--method", "gcg", "--budget", "40000"]
    code, _, err = interrupted(*command, *options, "--out", "out")
    assert code == 130
    assert "Traceback" not in err
    assert "actmax: Interrupted after" in err
    assert "and the same command with --resume continues it" in err
    assert names_in(here / "out") == FILES | {"search.journal"}
    found = MaximizeResult.load("out")
    assert not found.complete
    assert 0 < found.cost.sequences_scored < 40_000
    assert math.isfinite(found.best.activation)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT and a pseudo-terminal")
def test_ctrl_c_in_a_comparison(command: list[str], here: Path) -> None:
    options = ["--method", "gcg", "--method", "random", "--budget", "40000"]
    code, _, err = interrupted(*command, *options, "--out", "out")
    assert code == 130
    assert "actmax: Interrupted after 0 of 2 methods" in err
    assert "and the same command with --resume continues it" in err
    assert names_in(here / "out") == COMPARED | {"gcg"}
    assert names_in(here / "out" / "gcg") == FILES | {"search.journal"}
    found = CompareResult.load("out")
    assert not found.complete
    assert [one.method for one in found.results] == ["gcg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--method", "gcg", "--resume", "--out", "out"],
            "to resume in 'out'; leave --resume out",
        ),
        ([*TWO, "--resume", "--out", "out"], "There is no search to resume in 'out'"),
        (["--resume", "--out", "out"], "Only token methods can be resumed"),
        (["--method", "gcg", "--resume"], "name it with --out DIR"),
    ],
)
def test_nothing_to_resume(
    options: list[str], said: str, command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in mistake(capsys, *command, *options)
    assert names_in(here) == set()
