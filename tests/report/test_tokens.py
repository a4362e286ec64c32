"""Tokens and numbers as they are shown."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actmax.legible import LONGEST, legible, visible
from actmax.numbers import cosine, number, percent, seconds
from actmax.report.tokens import token, token_strip, visible_html


class Reader(HTMLParser):
    """What a browser would show, and the elements it would make."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.elements = "", set[str]()
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        assert {name for name, _ in attrs} <= {"class", "title", "style"}

    def handle_data(self, data: str) -> None:
        self.text += data


ANY = st.text(st.characters(exclude_categories=()), max_size=LONGEST)


@given(ANY)
def test_nothing_invisible_is_left_and_nothing_is_markup(text: str) -> None:
    shown = visible(text)
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Cn"} for c in shown)
    assert Reader(visible_html(text)).text == shown
    assert Reader(visible_html(text)).elements <= {"i"}
    assert Reader(token(text, title=text)).elements <= {"span", "i"}


@given(ANY)
def test_prose_keeps_plain_spaces_only(text: str) -> None:
    assert [c for c in legible(text) if c.isspace()] == [" "] * text.count(" ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" Paris", "·Paris"),
        ("\n\n", "⏎⏎"),
        ("\ta\r", "⇥a⟨U+000D⟩"),
        ("\x1b[31m", "⟨U+001B⟩[31m"),
        ("a\u00a0b\u200b", "a⟨U+00A0⟩b⟨U+200B⟩"),
        ("\u0301", "◌\u0301"),
        ("日本 é", "日本·é"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_very_long_token_is_cut() -> None:
    assert Reader(token("a" * 5000)).text == "a" * LONGEST + f"… {5000 - LONGEST:,} more"


def test_strip_colours_by_sign_and_size() -> None:
    html = token_strip([" a", "b", "c", "d"], [2.0, -1.0, 0.0, float("nan")])
    assert '<span class="token above" style="--share:1.00" title="2.00">' in html
    assert '<span class="token below" style="--share:0.50" title="−1.00">' in html
    assert '<span class="token above" style="--share:0.00" title="0">' in html
    assert 'title="not finite"' in html
    assert "--share:0.20" in token_strip(["a"], [2.0], largest=10.0)
    assert "style" not in token_strip(["a"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (234.4, "234"),
        (0.5712, "0.57"),
        (2.98, "2.98"),
        (-1.234, "−1.23"),
        (9.999, "10.0"),
        (12_345.6, "12,346"),
        (0.01234, "0.0123"),
        (1.5e-7, "1.50e−7"),
        (3e12, "3.00e12"),
        (0.0, "0"),
        (None, "–"),
        (float("nan"), "–"),
        (float("-inf"), "–"),
    ],
)
def test_number(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_other_numbers() -> None:
    assert [cosine(0.0934), cosine(-0.2)] == ["0.09", "−0.20"]
    assert [percent(0.456), percent(0.003), percent(-0.17)] == ["46 %", "0.3 %", "−17 %"]
    assert [percent(0.994), percent(0.998), percent(0.99999), percent(1.0)] == [
        "99 %",
        "99.8 %",
        "99.9 %",
        "100 %",
    ], "what is not all is not 100 %"
    assert [seconds(s) for s in (0.84, 42, 185, 7800)] == ["0.8 s", "42 s", "3 min 05 s", "2 h 10 min"]
