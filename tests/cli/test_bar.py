"""The progress line: on a terminal it says what is going on, elsewhere it says nothing."""

from __future__ import annotations

import io
import sys

import pytest

from actmax.cli.bar import progress_bar


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


def test_a_terminal_sees_the_stage_the_count_and_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with progress_bar(quiet=False) as report:
        report("reading [b]", 300, 1000)
    with progress_bar(quiet=False) as report:
        report("searching", 3, 10, note="best 2.5")
    said = terminal.getvalue()
    for words in ("reading [b]", "300/1,000", "searching", "3/10", "best 2.5"):
        assert words in said


def test_bytes_are_megabytes_and_tokens_have_a_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with progress_bar(quiet=False) as report:
        report("downloading", 1_500_000, 3_000_000, unit="bytes")
    assert "1.5/3.0 MB" in terminal.getvalue()
    with progress_bar(quiet=False) as report:
        for done in range(0, 1000, 100):
            report("observing", done, 1000, unit="tokens")
    assert "tokens/s" in terminal.getvalue()
    assert "900/1,000" in terminal.getvalue()


def test_elsewhere_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar(quiet=False) as report:
        report("a", 1, 2)
    assert capsys.readouterr() == ("", "")
    shown = on_terminal(monkeypatch)
    with progress_bar(quiet=True) as report:
        report("a", 1, 2)
    assert shown.getvalue() == ""
