"""The page of an observation: harmless whatever the text holds, and true to the numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.browser import chromium, visit
from tests.tiny import tiny_model, tiny_tokenizer

from actmax.api.observe import observe
from actmax.corpus.tokens import tokens_of_texts
from actmax.corpus.windows import windows_of
from actmax.report.heat import heat
from actmax.report.observe import page, summary
from actmax.report.page import MOST_BYTES
from actmax.results.observe import ObserveResult

HOSTILE = [
    "<script>document.title='owned';alert(1)</script> the cat",
    "</span></td><img src=x onerror=alert(2)> the \"dog\" 'sat' onmouseover=alert(3)",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07 the cat\0\x08\x7f\x9b31m",
    "a \u202edrow\u202c b \u2066isolate \u200b\ufeff\u0301 the mat",
    "{{ 7 * 7 }} {% for x in y %} &amp; &lt; <!-- -->",
    "new\nlines\r\nand\ttabs\u2028and\u2029more" * 3,
    "w" * 2000,
]


def observed(texts: list[str], units: list[str] | None = None) -> ObserveResult:
    windows = windows_of(tokens_of_texts(texts, tiny_tokenizer(), name="<b>corpus\x1b[1m"), length=40, bos=0)
    named = replace(
        windows, tokens=replace(windows.tokens, attribution="By <i>them</i>", skipped=("1 <u>x</u>",))
    )
    return observe(tiny_model(), units or ["hidden_states.2:7"], corpus=named)


@pytest.fixture(scope="module")
def hostile() -> ObserveResult:
    return observed(HOSTILE)


def test_no_markup_of_the_text_gets_through(hostile: ObserveResult) -> None:
    for html in (page(hostile), summary(hostile)):
        for mark in (
            "<script",
            "<img",
            "<b>corpus",
            "<i>them",
            "<u>x",
            "\x1b",
            "\0",
            "\u202e",
            "\u2066",
            "\u2028",
        ):
            assert mark not in html, mark
        assert "⟨U+001B⟩" in html


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_hostile_corpus_is_harmless_in_a_browser(
    hostile: ObserveResult, tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "report.html").write_text(page(hostile), encoding="utf-8")
    with chromium() as browser, visit(browser, tmp_path / "report.html", scheme=scheme) as seen:  # type: ignore[arg-type]
        assert seen.complaints == []
        assert [address for address in seen.requests if not address.startswith(("file:", "data:"))] == []
        assert seen.page.title() != "owned"
        assert seen.page.evaluate("document.scripts.length") == 0
        assert seen.overflow() == 0
        shown = seen.page.evaluate("[...document.querySelectorAll('.heat')].map(h => h.textContent).join('')")
        assert "<script>" in shown
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066\u200b]", shown)
    with chromium() as browser, visit(browser, tmp_path / "report.html", width=390) as seen:
        assert seen.overflow() == 0


@pytest.mark.browser
def test_the_heat_says_the_numbers(tmp_path: Path) -> None:
    result = observed(["the cat sat on the mat and the dog ran to the sea"] * 2)
    (tmp_path / "report.html").write_text(page(result), encoding="utf-8")
    top = result.units[0].top[0]
    with chromium() as browser, visit(browser, tmp_path / "report.html") as seen:
        ring = seen.page.locator(".heat").first.locator(".p")
        assert ring.count() == 1
        assert ring.inner_text().replace("·", " ") == top.token
        assert ring.get_attribute("title").replace("−", "-") == f"{top.activation:.3g}".rstrip()
        colour = ring.evaluate("e => getComputedStyle(e).backgroundColor")
        assert colour not in ("rgba(0, 0, 0, 0)", "transparent")


def test_colour_marks_sign_strength_peak_and_what_is_left_out() -> None:
    html = heat([" up", "down", "none", "sink"], [2.0, -1.0, 0.001, float("nan")], 0, 4.0)
    assert '<b class="a p" style="--s:0.50" title="2.00">' in html
    assert '<b class="z " style="--s:0.25" title="−1.00">down</b>' in html
    assert '<b title="0.001">none</b>' in html or '<b title="0.00100">none</b>' in html
    assert '<b class="x " title="left out">sink</b>' in html


def test_many_units_still_make_a_small_page() -> None:
    text = "the cat sat on the mat and the dog ran to the sea where a red ship was waiting. "
    result = observed([f"{k} {text * 4}" for k in range(30)], [f"hidden_states.2:{k}" for k in range(24)])
    html = page(result)
    assert len(html.encode()) < MOST_BYTES
    assert all(f"hidden_states.2:{k}" in html for k in range(24))
    assert "result.json holds all" in html


def test_the_page_says_what_was_not_whole(hostile: ObserveResult) -> None:
    assert "was stopped" in page(replace(hostile, complete=False))
    assert "was stopped" not in page(hostile)
    assert "What this cannot tell" in page(hostile)
    assert hostile.conclusion[0].startswith(f"In {hostile.units[0].count:,} tokens")
