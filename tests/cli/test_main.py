from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.command import actmax_process, environment, is_one_sentence, mistake

from actmax.cli import verbs
from actmax.cli.main import main
from actmax.cli.registry import all_verbs
from actmax.errors import ActmaxError, Interrupted
from actmax.version import __version__

VERBS = [one.name for one in all_verbs()]
SHARED = ("--model", "--device", "--dtype", "--seed", "--threads", "--out", "--json", "--quiet", "--help")
ON_AN_ATLAS = ("--json", "--quiet", "--help")
"""Those that look into a folder load no model and write nothing."""

DUMMY = '''"""A verb."""

from dataclasses import dataclass
from typing import Annotated

import typer
from annotated_types import Ge

from actmax.cli.registry import verb
from actmax.cli.shared import Output
from actmax.cli.terminal import emit_json
from actmax.settings import Settings


@dataclass(frozen=True, kw_only=True)
class GreetSettings(Settings):
    """The settings of greet."""

    times: Annotated[int, Ge(1)] = 1
    """How often."""


@verb("greet", order=5)
def greet(name: Annotated[str, typer.Argument()], settings: GreetSettings, output: Output) -> None:
    """Greet somebody."""
    if output.json:
        emit_json({"greeted": [name] * settings.times})
'''


def test_alone_it_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == alone
    assert all(re.search(rf"^. {verb.split()[0]} ", alone, re.MULTILINE) for verb in VERBS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"actmax {__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_the_shared_options_and_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb.split(), "--help"]) == 0
    text = capsys.readouterr().out
    wanted: tuple[str, ...] = ON_AN_ATLAS if verb in ("atlas show", "atlas find") else SHARED
    wanted = tuple(one for one in wanted if (verb, one) != ("atlas build", "--out"))  # it has DIR
    assert [option for option in wanted if option not in text] == []
    assert re.search(rf"Examples?: *\n +actmax {verb}", text)
    assert "\b" not in text


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    code = "import sys; from actmax.cli.main import main; main(['--help']); "
    code += "print({'torch', 'transformers', 'matplotlib', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], r"No such command 'nonsense' \(see `actmax --help`\)\."),
        (["sites", "--nonsense"], r"No such option: --nonsense.*\(see `actmax sites --help`\)"),
        (["sites", "--seed", "x"], r"--seed must be a whole number \(got 'x'\)"),
        (["sites", "--seed", "-1"], r"--seed must be at least 0 \(got -1\)"),
        (["sites", "--threads", "0"], r"--threads must be at least 1 \(got 0\)"),
        (["sites", "surplus"], "unexpected extra argument"),
        (["sites", "--model"], "requires an argument"),
        (["models", "nonsense"], "knows no 'nonsense'; leave it out"),
    ],
)
def test_mistakes_of_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert re.search(said, mistake(capsys, *arguments))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ActmaxError("Mend\nthis \x1b[31mnow."), 2, "actmax: Mend this \\x1b[31mnow.\n"),
        (Interrupted("Saved in runs/x."), 130, "actmax: Saved in runs/x.\n"),
        (KeyboardInterrupt(), 130, "actmax: Interrupted.\n"),
        (
            OSError(errno.ENOSPC, "full", "f"),
            2,
            "actmax: No space is left on the disk at 'f'; free some",
        ),
        (PermissionError(errno.EACCES, "no", "f"), 2, "actmax: Permission is denied at 'f'; change the"),
    ],
)
def test_how_failures_leave(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("actmax.api.doctor.examine", fail)
    assert main(["doctor"]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(said)
    assert is_one_sentence(captured.err)


def test_a_bug_is_not_dressed_up_as_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("actmax.api.doctor.examine", fail)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m actmax models --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_stdout_on_a_full_disk() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "actmax", "models", "--json"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert is_one_sentence(done.stderr), done.stderr
    assert "No space is left" in done.stderr


def test_json_is_all_that_stdout_holds(tmp_path: Path) -> None:
    done = actmax_process("models", "--json", env={"ACTMAX_CACHE": str(tmp_path)})
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["items"] == [] or json.loads(done.stdout)["items"][0]["kind"] == "hub"


def test_an_unwritable_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = mistake(capsys, "models", "--out", str(tmp_path / "file" / "out"))
    assert "is a file or lies below one" in said
    assert "give --out another folder" in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_verbs_are_found_in_their_order() -> None:
    assert VERBS[:3] == ["maximize", "observe", "atlas build"]
    assert {"models", "sites", "doctor"} <= set(VERBS)


def test_a_verb_is_one_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "greet.py").write_text(DUMMY, encoding="utf-8")
    monkeypatch.setattr(verbs, "__path__", [*verbs.__path__, str(tmp_path)])
    try:
        assert main(["--help"]) == 0
        assert re.search(r"^. greet +Greet somebody\.", capsys.readouterr().out, re.MULTILINE)
        assert main(["greet", "you", "--times", "2", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"greeted": ["you", "you"]}
        assert main(["greet", "--help"]) == 0
        assert "How often." in capsys.readouterr().out
        assert mistake(capsys, "greet", "you", "--times", "0") == "--times must be at least 1 (got 0)"
    finally:
        sys.modules.pop("actmax.cli.verbs.greet", None)
