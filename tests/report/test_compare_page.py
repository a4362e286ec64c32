"""The page of a comparison in a real browser, and what it says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.browser import visit
from tests.report.pages import can_be_read, fits_offline, shows_hostile_tokens, written
from tests.results.example import compare_result, hostile_comparison, token_result

from actmax.report.compare import likely, page, summary
from actmax.report.page import MOST_BYTES
from actmax.results.compare import CompareResult
from actmax.results.run import Trajectory
from actmax.search.registry import token_methods

MADE: dict[str, Callable[[], CompareResult]] = {"tokens": compare_result, "hostile": hostile_comparison}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return written(tmp_path_factory.mktemp("pages"), MADE, page, summary(hostile_comparison()))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", [*MADE, "cell"])
def test_opens_offline_and_fits(
    browser: Any, pages: dict[str, Path], name: str, width: int, scheme: Any
) -> None:
    fits_offline(browser, pages[name], width=width, scheme=scheme)


@pytest.mark.browser
def test_hostile_tokens_are_shown_as_they_are(browser: Any, pages: dict[str, Path]) -> None:
    with visit(browser, pages["hostile"]) as seen:
        shows_hostile_tokens(seen)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_figures_can_be_read(browser: Any, pages: dict[str, Path], scheme: Any) -> None:
    """Contrast of all text, the methods' names at the ends of their curves among it."""
    with visit(browser, pages["tokens"], scheme=scheme) as seen:
        can_be_read(seen)


def told(result: CompareResult) -> str:
    return " ".join(result.conclusion)


def test_what_is_compared() -> None:
    result = compare_result()
    html = page(result)
    for title in (
        "Activation over the budget",
        "Active and likely",
        "The methods",
        "The best text of each method",
        "The best texts at each likelihood",
        "Distinct solutions",
        "Settings of epo",
        "Settings of soft-ascent",
        "Reproduce and cite",
    ):
        assert title in html
    assert "pez has no result: Nothing that pez scored may be given." in html
    assert "best in 391,000 tokens of wikipedia-excerpt (text abababababab…)" in html
    assert "soft-ascent is left out" in html
    names = re.findall(r'<td class="name"><i style="background:var\((--\w+)\)"></i>([\w-]+)</td>', html)
    colours = {name: colour for colour, name in names}
    assert len(set(colours.values())) == len(colours) == 4
    assert [name for _, name in names][:4] == ["epo", "gcg", "random", "soft-ascent"], "best first"
    assert len(html.encode()) < MOST_BYTES


def test_the_sentence() -> None:
    said = told(compare_result())
    assert said.startswith("Of 4 methods epo gets highest: “")
    assert "gives 7.40, 0.66 times the largest in 391,000 tokens of wikipedia-excerpt (11.2)" in said
    assert "gcg 5.92, random 4.88" in said
    assert said.endswith("This is one seed on one unit: another seed may change the order.")
    token = token_result()
    bare = CompareResult.of([replace(token, corpus_maximum=None), replace(token, method="gcg")])
    assert "in 391,000" in told(bare), "one method's corpus maximum is enough"
    nan = replace(
        token, runs=tuple(replace(run, activation_of_ids=math.nan) for run in token.runs), method="gcg"
    )
    assert told(CompareResult.of([nan])) == ("No method gave a finite activation: nothing was found.")
    assert CompareResult.of([nan, token]).best.method == "epo"


def test_who_overtakes_whom_is_counted_in_sequences() -> None:
    """epo passes what gcg ends with, 5.92, at its 50th sequence, and gcg never gets to epo's 7.4."""
    curves = {"epo": ((10, 50, 200), (1.0, 6.0, 7.4)), "gcg": ((20, 100), (3.0, 5.92))}
    made = [
        replace(
            one,
            runs=tuple(
                replace(run, trajectory=Trajectory(*curves[one.method]))
                for run in one.runs
                if run is one.best_run
            ),
        )
        for one in compare_result().results
        if one.method in curves
    ]
    html = page(CompareResult.of(made))
    table = html[
        html.index('<table class="methods">') : html.index("</table>", html.index('class="methods"'))
    ]
    rows = dict(re.findall(r"</i>([\w-]+)</td>(.*?)</tr>", table, re.DOTALL))
    cells = {name: re.findall(r'<td class="n">([^<]*)</td>', row) for name, row in rows.items()}
    assert cells["epo"][4] == "50"
    assert cells["gcg"][4] == "–"
    assert cells["epo"][3] == "0.66 ×"


def test_the_joint_frontier_is_not_beaten_by_any_text() -> None:
    result = compare_result()
    every = [one for made in result.results for one in made.frontier]
    kept = likely(result, 1.0)
    assert kept
    for row in kept:
        assert not any(
            one.activation > row.activation and one.cross_entropy < row.cross_entropy for one in every
        )
    for one in every:
        assert any(
            row.activation >= one.activation and row.cross_entropy <= one.cross_entropy for row in kept
        )
    low = CompareResult.of([replace(one, minimize=True) for one in result.results])
    smallest = likely(low, 1.0)[0]
    assert smallest.activation == min(one.activation for one in every)


def test_all_methods_at_once() -> None:
    token = token_result()
    result = CompareResult.of([replace(token, method=name) for name in token_methods()])
    html = page(result)
    assert all(f"</i>{name}</td>" in html for name in token_methods())
    assert len(html.encode()) < MOST_BYTES
    assert page(result) == html, "the same result gives the same bytes"


def test_what_is_missing_leaves_no_empty_section() -> None:
    token = replace(token_result(), frontier=(), solutions=(), corpus_maximum=None)
    plain = tuple(replace(run, along=None) for run in token.runs)
    result = CompareResult.of([replace(token, runs=plain), replace(token, method="gcg", runs=plain)])
    html = page(replace(result, complete=False))
    assert "interrupted" in html
    assert "not measured" in html
    for title in ("Active and likely", "at each likelihood", "Distinct solutions"):
        assert title not in html


def test_a_notebook_shows_the_conclusion() -> None:
    html = compare_result()._repr_html_()
    assert "Of 4 methods epo gets highest" in html
    assert "<svg" in html
    assert "<html" not in html
