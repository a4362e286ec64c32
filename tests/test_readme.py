"""What the README shows is run: its Python as one program, its commands one by one.

Searches are cut to a few steps, ``gpt2`` is a tiny model in a folder of that name, and what sets the project
up (``make``, ``pip``, ``git``) is left to those who read it.
"""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import actmax
from actmax.cli.main import main
from tests.tiny_folder import tiny_folder

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
STEPS = 20
SETUP = ("make", "pip", "git", "cd", "python", "python3")
SHELLS = ("console", "shell", "sh", "bash")


def blocks(*languages: str) -> list[str]:
    """The fenced blocks of some languages; none where there is no README."""
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    fenced = re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [code for language, code in fenced if language in languages]


def commands() -> list[list[str]]:
    """Every command of the shell blocks, without prompts and comments."""
    lines = "\n".join(blocks(*SHELLS)).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line.removeprefix("$ "), comments=True))]


OURS = [words for words in commands() if words[0] == "actmax"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which ``gpt2`` can be loaded."""
    monkeypatch.chdir(tmp_path)
    tiny_folder(tmp_path / "gpt2", "gpt2")
    return tmp_path


def test_every_command_is_run_or_sets_up() -> None:
    assert {words[0] for words in commands()} <= {"actmax", *SETUP}


@pytest.mark.real
@pytest.mark.parametrize("words", OURS, ids=shlex.join)
def test_a_command(words: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few: list[str] = []
    if words[1] == "maximize":
        few = ["--budget", "50", "--length", "4"] if "--method" in words else ["--steps", str(STEPS)]
    assert main([*words[1:], *few]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out
    if "--out" in words:
        assert (here / words[words.index("--out") + 1] / "result.json").exists()


@pytest.mark.real
def test_the_python(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "\n".join(blocks("python"))
    if not code:
        pytest.skip("the README shows no Python")
    monkeypatch.setattr(actmax, "maximize", functools.partial(actmax.maximize, steps=STEPS), raising=False)
    exec(compile(code, str(README), "exec"), {"__name__": "__main__"})


def test_what_it_links_to_is_there() -> None:
    if not README.exists():
        pytest.skip("there is no README")
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_targets_of_make_that_it_names() -> None:
    named = {words[1] for words in commands() if words[0] == "make"}
    for target in named:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
