"""Progress lines: on a terminal they say what is going on, elsewhere they say nothing."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from actmax.cli.bars import progress_bar, stage_bar, step_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """No fixture, for pytest takes stderr back between set-up and test."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    return shown


def use(bar: Any, **options: Any) -> None:
    with bar(quiet=False, **options) as tell:
        if bar is step_bar:
            tell(3, 10, "best 2.5")
        else:
            tell("reading [b]", 300, 1000)
            tell("observing", 400, None)
            tell("observing", 500, 1000)


@pytest.mark.parametrize(
    ("bar", "said"), [(progress_bar, "observing"), (step_bar, "3/10"), (stage_bar, "500/1000")]
)
def test_a_terminal_sees_the_stage_and_the_count(
    monkeypatch: pytest.MonkeyPatch, bar: Any, said: str
) -> None:
    terminal = on_terminal(monkeypatch)
    use(bar)
    assert said in terminal.getvalue()


def test_a_stage_that_counts_tokens_has_a_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with stage_bar(quiet=False, tokens_in="observing") as tell:
        for done in range(0, 1000, 100):
            tell("observing", done, 1000)
    assert "tokens/s" in terminal.getvalue()


@pytest.mark.parametrize("bar", [progress_bar, step_bar, stage_bar])
def test_elsewhere_nothing_is_said(
    bar: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(bar)
    assert capsys.readouterr() == ("", "")
    shown = on_terminal(monkeypatch)
    with bar(quiet=True) as tell:
        tell(*(("a", 1, 2) if bar is not step_bar else (1, 2, "a")))
    assert shown.getvalue() == ""
