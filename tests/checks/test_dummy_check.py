"""A new check is one file: it is found, run, judged, written, drawn, and part of the conclusion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.checks.planted import letters, triggered

from actmax.api.check import check
from actmax.api.investigate import investigate
from actmax.checks import assumptions as folder
from actmax.checks.registry import assumptions
from actmax.results.check import CheckResult

SOURCE = '''
"""A unit is positive more often than not.

1. *Share above zero*, which is judged, <b>over</b> all positions.
"""

from typing import ClassVar

from actmax.checks.assumption import Material, Measure, Need
from actmax.checks.ranks import against
from actmax.progress import Progress
from actmax.results.finding import Number, Picture, Series


class Positive:
    name: ClassVar[str] = "positive"
    assumption: ClassVar[str] = "A unit is positive"
    subject: ClassVar[str] = "how often it is positive"
    order: ClassVar[int] = 25
    needs: ClassVar[frozenset[Need]] = frozenset({"examples"})

    def measure(self, material: Material, progress: Progress) -> Measure:
        shares = [float((one[material.sample.kept] > 0).mean()) for one in material.sample.values]
        number = Number(
            "share", "Share above zero", shares[0], material.sample.n, "Of all positions.",
            (against(shares[0], shares[1:]),), "percent",
        )
        mine = Series("this unit", (shares[0],), ())
        strip = Picture("strips", "Shares drawn", "share", "", (mine,), "One.")
        return Measure(
            shares[0], tuple(shares[1:]), (number,), (strip,), words="It was counted.",
            observed="it is positive here and there",
        )

    def answer(self, measure: Measure, *, meaningful: bool) -> str:
        return "mostly positive" if measure.statistic > 0.5 else "mostly not positive"
'''
BRIEF = {"corpus": letters(documents=4), "others": 3, "steps": 2, "length": 2}


@pytest.fixture
def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zz_positive.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])


@pytest.mark.usefixtures("extended")
def test_a_file_is_a_check_from_end_to_end(tmp_path: Path) -> None:
    names = ["one-feature", "importance", "positive", "continuity", "readability"]
    assert [one.name for one in assumptions()] == names, "in the order that the checks declare"
    result = check(triggered("a"), "blocks.1.mlp.hook_pre:0", **BRIEF)  # type: ignore[arg-type]
    out = tmp_path / "out"
    result.save(out)
    told = json.loads((out / "result.json").read_text(encoding="utf-8"))
    (mine,) = [one for one in told["checks"] if one["name"] == "positive"]
    assert mine["answer"] in ("mostly positive", "mostly not positive")
    assert mine["p_shuffled"] is not None, "it was measured on the copy with shuffled weights too"
    assert mine["subject"] == "how often it is positive"
    page = (out / "report.html").read_text(encoding="utf-8")
    for said in (
        "A unit is positive",
        mine["answer"],
        "Share above zero",
        "Shares drawn",
        'id="method-positive"',
    ):
        assert said in page
    assert "<em>Share above zero</em>" in page, "the docstring is the page's description"
    assert "&lt;b&gt;over" in page, "and its HTML is escaped"
    assert CheckResult.load(out).to_json() == told


@pytest.mark.usefixtures("extended")
def test_investigate_uses_it_in_its_conclusion() -> None:
    model, unit = triggered("a"), "blocks.1.mlp.hook_pre:0"
    result = investigate(model, unit, runs=2, method=None, shuffled=False, **BRIEF)  # type: ignore[arg-type]
    seen, _, concluded = result.conclusion
    assert "it is positive here and there" in seen
    assert "how often it is positive" in concluded
    assert result.check("positive").numbers


def test_without_the_file_there_is_no_such_check() -> None:
    assert [one.name for one in assumptions()] == ["one-feature", "importance", "continuity", "readability"]
