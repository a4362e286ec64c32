"""A number of a run is written at its field; every place where results are read has it from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.results.example import soft_result, token_result

from actmax.report.maximize import page
from actmax.results.compare import CompareResult
from actmax.results.maximize import MaximizeResult
from actmax.results.run import Run
from actmax.results.schema import schema_of
from actmax.results.shown import columns_shown, shown_fields

MEANING = "share of the optimum's gain over the start that its nearest tokens keep"


def test_a_number_reaches_every_place_from_its_field(tmp_path: Path) -> None:
    bare = soft_result(restarts=2, steps=3, vocab=50)
    result = replace(bare, runs=tuple(replace(run, kept=0.0125) for run in bare.runs))
    result.save(tmp_path)
    assert [run.kept for run in MaximizeResult.load(tmp_path).runs] == [0.0125, 0.0125]
    assert schema_of("maximize")["$defs"]["Run"]["properties"]["kept"]["description"] == MEANING
    assert list(result.to_pandas()["kept"]) == [0.0125, 0.0125]
    terminal = {column.name: column.texts for column in columns_shown(result.runs, "terminal")}
    assert terminal["kept"] == ("1.2 %", "1.2 %")
    html = page(result)
    escaped = MEANING.replace("'", "&#39;")
    assert f'<dt>Kept</dt><dd class="value">1.2 %</dd><dd>{escaped}</dd>' in html
    assert '<td class="n">1.2 %</td>' in html
    both = CompareResult.of([token_result(), replace(result, corpus_maximum=None)])
    compared = {column.name: column.texts for column in both.table()}
    assert compared["kept"] == ("–", "1.2 %")
    assert set(both.columns()) >= {"kept"}
    documented = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    assert f"| *`kept`* | number or null | {MEANING} |" in documented


def test_a_column_that_no_run_has_is_left_out() -> None:
    assert "kept" in shown_fields(Run)
    assert "kept" not in [column.name for column in columns_shown(token_result().runs, "page")]
