"""The page of ``select``: what it says, that it is safe, and how it looks in a browser."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from tests.browser import chromium, visit
from tests.selectivity.corpora import corpus
from tests.tiny import tiny_model

from actmax.api.select import select
from actmax.numbers import p_value
from actmax.report.select import page, summary
from actmax.report.select_plots import context, scatter
from actmax.results.select import SelectResult
from actmax.results.select_parts import Point

TEXTS = [
    f"the cat {k} sat on the mat and the dog ran to the sea; a red ship was waiting for the tide <b>{k}</b>"
    for k in range(14)
]


@pytest.fixture(scope="module")
def result() -> SelectResult:
    return select(
        tiny_model(),
        "words:cat,dog",
        "words:sea,tide",
        corpus=corpus(*TEXTS),
        window=8,
        samples=20,
        sites=["blocks.*.mlp.hook_pre", "blocks.*.attn.hook_q"],
    )


def test_the_conclusion_names_groups_counts_and_the_best_unit(result: SelectResult) -> None:
    said = " ".join(result.conclusion)
    assert f"{result.significant} of 288 units" in said
    assert "words:cat,dog from words:sea,tide" in said
    assert result.units[0].unit in said


def test_nothing_found_is_said_plainly(result: SelectResult) -> None:
    none = replace(result, significant=0, units=tuple(replace(u, significant=False) for u in result.units))
    assert "Nothing here can be told from chance." in none.conclusion
    for text in (page(none), summary(none)):
        assert "No unit tells these groups apart at a level of 0.05." in text
        assert f"<td>{none.units[0].unit}</td>" not in text, "units at p = 1 are not listed"


def test_the_page_holds_what_was_found(result: SelectResult) -> None:
    text = page(result)
    assert len(text.encode()) < 2_000_000
    for part in (
        "By depth",
        "Does it hold elsewhere?",
        "Over fresh text",
        "What this cannot tell",
        "Several units",
    ):
        assert part in text
    assert all(unit.unit in text for unit in result.units[:10])
    assert "<b>3</b>" not in text
    assert result.units[0].unit in summary(result)


def test_a_result_without_its_optional_parts_has_a_page(result: SelectResult) -> None:
    bare = replace(
        result,
        held_out=None,
        chance=None,
        probe=None,
        context=(),
        passages=(),
        corpus=None,
        covariates=(),
        complete=False,
        notes=("<script>alert(1)</script>",),
    )
    text = page(bare)
    assert "stopped before everything was done" in text
    assert "<script>" not in text


def test_a_p_value_that_is_no_number_any_more() -> None:
    assert p_value(0.0) == "< 1e−300"
    assert p_value(float("nan")) == "–"
    assert p_value(0.04) == "0.0400"


@pytest.mark.browser
def test_in_a_browser(result: SelectResult, tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    place.write_text(page(result), encoding="utf-8")
    with chromium() as browser:
        for width in (1280, 390):
            with visit(browser, place, width=width) as seen:
                assert seen.requests == [place.resolve().as_uri()]
                assert seen.complaints == []
                assert seen.overflow() == 0
                assert seen.page.locator("svg").count() >= 4


def test_a_few_units_far_out_do_not_hide_the_others(result: SelectResult) -> None:
    assert result.held_out is not None
    points = tuple(p for p in result.held_out.points if max(abs(p.found), abs(p.held)) < 5)
    near = scatter(replace(result, held_out=replace(result.held_out, points=points)))
    assert near is not None
    assert "logarithmic" not in near.meaning
    points = (*points, Point("blocks.0.mlp.hook_pre:0", 90.0, 70.0, True))
    far = scatter(replace(result, held_out=replace(result.held_out, points=points)))
    assert far is not None
    assert "beyond 5 the axes are logarithmic" in far.meaning
    assert ">−100<" in far.drawing
    assert ">100<" in far.drawing


def test_infinite_effects_stand_at_the_edge(tmp_path: Path) -> None:
    """Texts that repeat leave no spread within the groups: t, d and the slope are infinite."""
    rows = [*["the cat sat on the mat"] * 5, *["a red ship was waiting"] * 5]
    file = tmp_path / "same.csv"
    file.write_text("text,label\n" + "".join(f"{row},{row[0]}\n" for row in rows), encoding="utf-8")
    result = select(tiny_model(), str(file), corpus=None)
    best = result.units[0]
    assert best.p == 0
    assert {abs(best.d), abs(best.t), abs(best.slope)} == {math.inf}
    assert best.fit == "separable"
    plot = scatter(result)
    assert plot is not None
    assert "with an infinite statistic (no spread within the groups) stand at the edge" in plot.meaning
    text = page(result)
    assert ("∞" in text, ">inf<" in text, ">nan<" in text) == (True, False, False)
    result.save(tmp_path / "out")
    saved = (tmp_path / "out" / "result.json").read_text(encoding="utf-8")
    assert json.loads(saved)["units"][0]["d"] is None
    back = SelectResult.load(tmp_path / "out")
    assert back.units[0].d == best.d, "nothing is lost on the way through the files"
    assert page(back) == text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Benjamini-Hochberg over all units"),
        ({"scope": "site"}, "Benjamini-Hochberg within each site"),
        ({"correction": "bonferroni"}, "Bonferroni over all units"),
        ({"correction": "none"}, "without a correction for testing many"),
    ],
)
def test_the_conclusion_says_which_correction(
    result: SelectResult, changes: dict[str, str], said: str
) -> None:
    assert said in replace(result, settings={**result.settings, **changes}).conclusion[0]


def test_a_half_sink_is_said(result: SelectResult) -> None:
    first = result.context[0]
    depths = len(first.path)
    long = replace(first, alone_over_context=(1.0, 6.5, *(1.0,) * (depths - 2)))
    said = context(replace(result, context=(long,)))[0].meaning
    assert "After 1 block a token of words:cat,dog alone is 6.50 times as long as in context" in said
    short = replace(first, alone_over_context=(1.0,) * depths)
    assert "half an attention sink" not in context(replace(result, context=(short,)))[0].meaning
