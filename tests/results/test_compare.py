"""The files of a comparison: the round trip, the schema, the frames, and what it refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.results.example import compare_result, hostile_comparison, soft_result, token_result

from actmax.errors import ActmaxError
from actmax.results.compare import CompareResult, reached
from actmax.results.maximize import MaximizeResult
from actmax.results.schema import schema_of


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    for make in (compare_result, hostile_comparison):
        result = make()
        result.save(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"result.json", "manifest.json", "report.html"}
        back = CompareResult.load(tmp_path)
        assert back.to_json() == result.to_json()
        assert back.manifest == result.manifest
        before = (tmp_path / "result.json").read_bytes()
        back.save(tmp_path)
        assert (tmp_path / "result.json").read_bytes() == before


def test_files_follow_their_schema() -> None:
    schema = schema_of("compare")
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    data = json.loads(json.dumps(compare_result().to_json()))
    check.validate(data)
    assert set(data) == set(schema["properties"])
    each = jsonschema.Draft202012Validator(schema_of("maximize"))
    for one in data["results"]:
        each.validate(one)
    changes: list[dict[str, Any]] = [
        {"results": []},
        {"results": [{}]},
        {"schema": "actmax.compare/2"},
        {"best": None},
    ]
    for wrong in changes:
        assert not check.is_valid(data | wrong)
    one = schema_of("maximize")
    assert schema["$defs"]["MaximizeResult"]["properties"] == one["properties"]
    assert schema["$defs"].items() >= one["$defs"].items(), "the two schemas have not grown apart"


def test_what_an_older_version_wrote_is_read(tmp_path: Path) -> None:
    """Without the fields that came later."""
    token_result().save(tmp_path / "one")
    place = tmp_path / "one" / "result.json"
    data = json.loads(place.read_text(encoding="utf-8"))
    for run in data["runs"]:
        del run["along"], run["position"]
    for one in data["frontier"]:
        del one["along"]
    place.write_text(json.dumps(data), encoding="utf-8")
    back = MaximizeResult.load(tmp_path / "one")
    assert all(run.along is None and run.position is None for run in back.runs)
    compare_result().save(tmp_path / "two")
    place = tmp_path / "two" / "result.json"
    data = json.loads(place.read_text(encoding="utf-8"))
    bare = {"schema": data["schema"], "results": data["results"]}
    place.write_text(json.dumps(bare), encoding="utf-8")
    assert CompareResult.load(tmp_path / "two").best.method == "epo"


def test_the_best_and_the_ratio() -> None:
    result = compare_result()
    assert result.best.method == "epo"
    assert reached(result.results[3]) == result.results[3].best_run.activation_of_ids, (
        "of a soft method's tokens"
    )
    assert result.ratio(5.6) == pytest.approx(0.5)
    low = CompareResult.of([replace(one, minimize=True) for one in result.results])
    assert reached(low.best_result) == min(reached(one) for one in result.results)
    assert math.isnan(low.ratio(5.6)), "the smallest in real text is not below zero"
    bare = CompareResult.of([replace(token_result(), corpus_maximum=None)])
    assert bare.corpus_maximum is None
    assert math.isnan(bare.ratio(1.0))


def test_only_answers_to_one_question_are_compared() -> None:
    token = token_result()
    for other in (
        replace(token, unit="hidden_states.4:91"),
        replace(token, model="gpt2"),
        replace(token, minimize=True),
    ):
        with pytest.raises(ActmaxError, match="same unit of the same model in the same direction"):
            CompareResult.of([token, other])
    with pytest.raises(ActmaxError, match="give at least one"):
        CompareResult.of([])


def test_damaged_files(tmp_path: Path) -> None:
    compare_result().save(tmp_path)
    place = tmp_path / "result.json"
    whole = place.read_text(encoding="utf-8")
    for old, new, said in (
        ('"actmax.compare/1"', '"actmax.compare/9"', "has version '9'"),
        ('"actmax.compare/1"', '"actmax.maximize/1"', "holds 'actmax.maximize/1'"),
        ('"results": [', '"others": [', "holds no results"),
        ('"restart": 0', '"restart": "0"', "is not a whole number"),
    ):
        place.write_text(whole.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ActmaxError, match=said):
            CompareResult.load(tmp_path)


@pytest.mark.parametrize("frame", ["to_pandas", "to_polars"])
def test_frames(frame: str) -> None:
    rows = getattr(compare_result(), frame)()
    assert list(rows["method"]) == ["gcg", "epo", "random", "soft-ascent"]
    assert list(rows["activation"])[1] == 7.4
    assert list(rows["ratio_to_corpus"])[1] == pytest.approx(7.4 / 11.2)
    assert list(rows["sequences_scored"])[1] == 12_000


def test_the_manifest_is_a_token_methods() -> None:
    token, soft = token_result(), soft_result(steps=3, vocab=50)
    other = replace(soft, manifest=replace(soft.manifest, bos="none"))
    assert CompareResult.of([token, other]).manifest == token.manifest
    assert CompareResult.of([other]).manifest == other.manifest
