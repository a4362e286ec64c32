"""The files of ``select``: they follow their schema and come back as they were."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from tests.selectivity.corpora import corpus
from tests.tiny import tiny_model

from actmax.api.select import select
from actmax.report.select import page
from actmax.results.schema import schema_of
from actmax.results.select import SelectResult
from actmax.results.select_parts import UnitSelectivity

TEXTS = [
    f"the cat {k} sat on the mat and the dog ran to the sea; a red ship was waiting for the tide"
    for k in range(14)
]


@pytest.fixture(scope="module")
def whole() -> SelectResult:
    return select(
        tiny_model(), "words:cat,dog", "words:sea,tide", corpus=corpus(*TEXTS), window=8, samples=20
    )


@pytest.fixture(scope="module")
def bare() -> SelectResult:
    none = {"corpus": None, "permutations": 0, "probe": False, "context": False, "heat": 0}
    return select(tiny_model(), "animals", "vehicles", **none)  # type: ignore[arg-type]


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every field named: what it does not name is an error."""
    parts = {name: {**part, "additionalProperties": False} for name, part in schema["$defs"].items()}
    return {**schema, "additionalProperties": False, "$defs": parts}


@pytest.mark.parametrize("name", ["whole", "bare"])
def test_the_file_follows_its_schema(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    result: SelectResult = request.getfixturevalue(name)
    result.save(tmp_path)
    schema = strict(schema_of("select"))
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(data)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema_of("manifest")).validate(manifest)


def test_the_schema_refuses_what_is_wrong(whole: SelectResult) -> None:
    check = jsonschema.Draft202012Validator(schema_of("select"))
    data = json.loads(json.dumps(whole.to_json()))
    assert check.is_valid(data)
    changes: list[dict[str, Any]] = [
        {"schema": "actmax.select/2"},
        {"units": [{}]},
        {"n_units": "many"},
        {"held_out": {**data["held_out"], "kind": "books"}},
        {"units": [{**data["units"][0], "fit": "good"}]},
    ]
    for wrong in changes:
        assert not check.is_valid(data | wrong), wrong
    del data["layers"]
    assert not check.is_valid(data)


def test_the_files_come_back(whole: SelectResult, tmp_path: Path) -> None:
    whole.save(tmp_path)
    back = SelectResult.load(tmp_path)
    assert back.to_json() == whole.to_json()
    assert back.tensors.keys() == whole.tensors.keys()
    for name, value in whole.tensors.items():
        torch.testing.assert_close(back.tensors[name], value, rtol=0, atol=0, equal_nan=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    back.save(tmp_path)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_row_of_the_file_is_a_row_of_the_tensors(whole: SelectResult) -> None:
    """The table of all units is said once: every number of a row is a tensor's, under the same name."""
    names = {one.name for one in fields(UnitSelectivity)} - {"rank", "unit", "site", "index", "layer", "fit"}
    assert {*whole.tensors} <= names | {"status"}
    for unit in whole.units:
        at = whole.sites.index(unit.site) * 64 + unit.index
        for name in names:
            value = getattr(unit, name)
            if name in whole.tensors:
                got = whole.tensors[name][at].item()
                assert got == value or (got != got and value != value), name
            else:
                assert math.isnan(value), name


OF_0_2 = ("r_length", "r_frequency", "r_position", "p_t", "p_mann", "p_bh", "p_bonferroni")


def test_a_file_of_version_0_1_still_loads(whole: SelectResult, tmp_path: Path) -> None:
    whole.save(tmp_path)
    data = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    del data["conclusion"]
    for unit in data["units"]:
        later = {name: unit.pop(name) for name in list(unit) if name.startswith(OF_0_2)}
        unit["correlates"] = {"length": later["r_length"], "frequency": later["r_frequency"]}
        unit["correlates_partial"] = {"length": later["r_length_partial"]}
        unit["separable"] = unit["fit"] == "separable"
    (tmp_path / "result.json").write_text(json.dumps(data), encoding="utf-8")
    back = SelectResult.load(tmp_path)
    assert back.conclusion == whole.conclusion
    for mine, theirs in zip(back.units, whole.units, strict=True):
        assert mine.r_length == pytest.approx(theirs.r_length, nan_ok=True)
        assert mine.r_length_partial == pytest.approx(theirs.r_length_partial, nan_ok=True)
        assert math.isnan(mine.r_frequency_partial)
        assert math.isnan(mine.p_bh_model)
    assert "The most selective units" in page(back)


def test_every_statistic_is_kept_for_every_unit(whole: SelectResult) -> None:
    """Whichever test was asked for, the others' p-values are there too."""
    best = whole.units[0]
    at = whole.sites.index(best.site) * 64 + best.index
    for name, value in (
        ("p_t", best.p),
        ("p_slope", best.p_slope),
        ("p_logistic", best.p_logistic),
        ("auc", best.auc),
    ):
        got = float(whole.tensors[name][at])
        assert got == value or (got != got and value != value), name
    assert {"p_mann_whitney", "status", "r_partial", "p_bonferroni_site"} <= set(whole.tensors)
    assert {len(tensor) for tensor in whole.tensors.values()} == {whole.n_units}


def test_the_points_keep_the_extremes(whole: SelectResult) -> None:
    assert whole.held_out is not None
    found = whole.tensors["statistic_found"]
    drawn = [point.found for point in whole.held_out.points]
    assert max(drawn) == float(found[torch.isfinite(found)].max())
    assert min(drawn) == float(found[torch.isfinite(found)].min())
