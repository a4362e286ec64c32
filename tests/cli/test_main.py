from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.command import actmax_process, environment, is_one_sentence, mistake

from actmax.cli import main as main_module
from actmax.cli.main import VERBS, main
from actmax.errors import ActmaxError, Interrupted
from actmax.version import __version__

SHARED = ("--model", "--device", "--dtype", "--seed", "--out", "--json", "--quiet", "--help")


def test_alone_it_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == alone
    assert all(re.search(rf"^  {verb} ", alone, re.MULTILINE) for verb in VERBS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"actmax {__version__}\n"


@pytest.mark.parametrize("verb", [*VERBS])
def test_every_verb_has_the_shared_options_and_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb.split(), "--help"]) == 0
    text = capsys.readouterr().out
    if "\nCommands:\n" in text:
        return  # a verb of verbs: each of them has the options
    assert [option for option in SHARED if option not in text] == []
    assert re.search(rf"Examples?:\n +actmax {verb}", text)
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
        (["sites", "--seed", "x"], "Invalid value for '--seed'"),
        (["sites", "--seed", "-1"], "Invalid value for '--seed'"),
        (["sites", "surplus"], "unexpected extra argument"),
        (["sites", "--model"], "requires an argument"),
        (["models", "nonsense"], "knows no 'nonsense'; use"),
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
        (PermissionError(errno.EACCES, "no", "f"), 2, "actmax: Permission is denied at 'f'; mend the"),
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

    monkeypatch.setattr("actmax.cli.health.examine", fail)
    assert main(["doctor"]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(said)
    assert is_one_sentence(captured.err)


def test_a_bug_is_not_dressed_up_as_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("actmax.cli.health.examine", fail)
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
    assert "give --out a folder" in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_table_of_verbs_is_complete() -> None:
    assert {"models", "sites", "doctor"} <= VERBS.keys()
    assert main_module.DONE == 0
