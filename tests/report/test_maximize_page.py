"""The report in a real browser, and what it says."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.browser import visit
from tests.report.pages import can_be_read, fits_offline, shows_hostile_tokens, written
from tests.results.example import hostile_result, soft_result, token_result

from actmax.report.maximize import page, summary
from actmax.report.page import MOST_BYTES
from actmax.results.budget import best_so_far, reached_after
from actmax.results.maximize import MaximizeResult

MADE: dict[str, Callable[[], MaximizeResult]] = {
    "soft": soft_result,
    "tokens": token_result,
    "hostile": hostile_result,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return written(tmp_path_factory.mktemp("pages"), MADE, page, summary(hostile_result()))


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
        shows_hostile_tokens(seen, "⟨U+0000⟩", "⟨U+D83D⟩")


@pytest.mark.browser
@pytest.mark.parametrize("name", ["soft", "tokens"])
def test_text_and_figures_can_be_read_in_both_schemes(
    browser: Any, pages: dict[str, Path], name: str
) -> None:
    """Contrast (WCAG) of all text against the background is at least 4.5; text in figures is drawn in CSS."""
    for scheme in ("light", "dark"):
        with visit(browser, pages[name], scheme=scheme) as seen:
            can_be_read(seen)


def test_every_section_is_there() -> None:
    html = page(soft_result(steps=30, vocab=500))
    for title in (
        "The decoding gap",
        "Activation over steps",
        "Gradient norm",
        "Does it stand out?",
        "Values of the vectors",
        "The optimised vectors",
        "Nearest tokens at each position",
        "All restarts",
        "Settings and manifest",
        "Reproduce and cite",
    ):
        assert title in html
    assert "actmax maximize hidden_states.4:90 --restarts 10 --out runs/demo" in html
    assert "rank 1 of 576" in html
    assert soft_result(steps=30, vocab=500).manifest.sha256 in html  # type: ignore[operator]


def test_the_same_result_gives_the_same_bytes() -> None:
    assert page(token_result()) == page(token_result())
    assert page(soft_result(steps=30, vocab=500)) == page(soft_result(steps=30, vocab=500))


def test_figures_are_described_and_their_ids_are_their_own() -> None:
    html = page(soft_result(steps=30, vocab=500))
    assert (
        len(re.findall("<svg", html)) == len(re.findall('<svg[^>]*role="img" aria-label="[^"]+"', html)) > 5
    )
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html))
    assert {one or other for one, other in used} <= set(ids)
    assert not re.search(r"#0[0-9]0[0-9]0[0-9]\b", html), "every stand-in colour was replaced"


def test_a_large_search_stays_small() -> None:
    """100 restarts of 2,000 steps, 64 positions, a wide model, 150,000 tokens."""
    result = soft_result(restarts=100, length=64, steps=2000, d_model=256, vocab=10_000)
    best = result.best_run
    optimum = torch.randn(1, 64, 4096)
    wide = replace(
        result,
        runs=tuple(r for r in result.runs if r is best),
        tensors=dict(result.tensors) | {"optimum": optimum},
    )
    for made in (result, wide):
        assert len(page(made).encode()) < MOST_BYTES
    assert "The best 50 of 100 restarts" in page(result)


def test_what_each_token_does_is_shown() -> None:
    """The best text in large, and every text of the tables; the token that is read is ringed."""
    result = token_result()
    html = page(result)
    assert "What each token does" in html
    n = len(result.runs) + len(result.frontier) + len(result.solutions)
    assert html.count('<span class="heat"') == n + 1
    assert len(re.findall(r'<b class="a p" style="--s:[01]\.\d\d"', html)) == n + 1
    assert 'title="left out"' not in html
    best = result.best_run
    assert best.along is not None
    unread = replace(best.along, activations=(float("nan"), *best.along.activations[1:]), read=None)
    runs = tuple(replace(run, along=unread) if run is best else run for run in result.runs)
    shown = page(replace(result, runs=runs))
    assert shown.count('title="left out"') == 2, "in large and in its row"
    assert len(re.findall(r'<b class="a p"', shown)) == n - 1, "the mean of all has no ring"
    assert "What each token does" not in page(soft_result(steps=5, vocab=50))


def test_the_curve_is_the_best_so_far_up_to_the_end_of_the_budget() -> None:
    result = token_result()
    steps, values = best_so_far(result)
    assert steps[-1] == result.cost.sequences_scored == 12_000
    assert values[-1] == max(max(run.trajectory.activation) for run in result.runs)
    assert all(a < b for a, b in itertools.pairwise(values[:-1]))
    assert steps == sorted(set(steps))
    low = replace(
        result,
        minimize=True,
        runs=tuple(
            replace(
                run,
                trajectory=replace(
                    run.trajectory, activation=tuple(-value for value in run.trajectory.activation)
                ),
            )
            for run in result.runs
        ),
    )
    assert best_so_far(low) == (steps, [-value for value in values])
    assert reached_after(result, values[3]) == steps[3]
    assert reached_after(result, 1e9) is None


def test_positions_of_their_own() -> None:
    token = token_result()
    runs = tuple(replace(run, position=run.restart + 4) for run in token.runs)
    html = page(replace(token, positions="each", runs=runs))
    assert "All positions" in html
    assert "one search each" in html
    assert re.findall(r'<td class="n">(\d)</td>\n<td class="n">(\d)</td>', html)[:3] == [
        ("0", "4"),
        ("1", "5"),
        ("2", "6"),
    ]
    assert "read at position 3, counted from 0 after the prefix" in page(replace(token, positions="3"))


def test_beside_real_text() -> None:
    token = token_result()
    html = page(token)
    assert "best in 391,000 tokens of wikipedia-excerpt (text abababababab…)" in html
    assert "66 % of it" in html
    soft = soft_result(steps=5, vocab=50)
    assert "not measured; name a corpus with --corpus" in page(soft)
    known = page(replace(soft, corpus_maximum=token.corpus_maximum))
    assert "times the largest in 391,000 tokens of wikipedia-excerpt (11.2)" in known
    assert "the vectors reach" in known


def test_what_is_missing_leaves_no_empty_section() -> None:
    """A search without comparison, isolation, tensors or gradient, interrupted after one step."""
    token = token_result()
    bare = replace(
        token,
        random_tokens=None,
        isolation=None,
        corpus_maximum=None,
        frontier=(),
        neighbors=(),
        complete=False,
        runs=token.runs[:1],
        best=replace(token.best, restart=0),
    )
    html = page(bare)
    assert "interrupted" in html
    for title in ("Gradient norm", "Does it stand out", "The optimised vectors", "Nearest tokens at each"):
        assert title not in html


def test_numbers_that_are_not_finite_are_dashes() -> None:
    nan = float("nan")
    soft = soft_result(restarts=2, steps=10, vocab=100)
    broken = replace(
        soft.runs[0],
        activation_final=nan,
        activation_of_ids=nan,
        activation_of_text=nan,
        cross_entropy=nan,
        stopped="the loss was not finite",
    )
    runs = (broken, soft.runs[1])
    html = page(replace(soft, runs=runs, best=replace(soft.best, restart=1)))
    assert "Restart 0 stopped early: the loss was not finite" in html
    assert ">nan<" not in html
    everywhere = page(replace(soft, runs=(broken,), best=replace(soft.best, restart=0, activation=nan)))
    assert "No restart gave a finite activation" in everywhere
