"""The files of a maximisation: the contract, the round trip, the frames."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from tests.results.example import hostile_result, manifest, soft_result, token_result

from actmax.errors import ActmaxError
from actmax.results import rendering
from actmax.results.manifest import Manifest, command_line, library_versions, utc_now
from actmax.results.maximize import SCHEMA, MaximizeResult
from actmax.results.run import Trajectory
from actmax.results.schema import schema_of

EXAMPLES: list[Callable[[], MaximizeResult]] = [soft_result, token_result, hostile_result]


@pytest.mark.parametrize("make", EXAMPLES)
def test_what_was_saved_is_loaded(make: Callable[[], MaximizeResult], tmp_path: Path) -> None:
    result = make()
    result.save(tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"result.json", "manifest.json", "tensors.safetensors", "report.html"}
    back = MaximizeResult.load(tmp_path / "out")
    assert back == result
    assert back.tensors.keys() == result.tensors.keys()
    assert all(torch.equal(back.tensors[name], value) for name, value in result.tensors.items())
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    back.save(tmp_path / "out")
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("make", EXAMPLES)
def test_files_follow_their_schema(make: Callable[[], MaximizeResult], tmp_path: Path) -> None:
    make().save(tmp_path)
    for name, file in (("maximize", "result.json"), ("manifest", "manifest.json")):
        schema = schema_of(name)
        jsonschema.Draft202012Validator.check_schema(schema)
        data = json.loads((tmp_path / file).read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(schema).validate(data)
        unknown = set(data) - set(schema["properties"])
        assert not unknown, "the schema names every field that is written"


def test_the_schema_refuses_what_is_wrong() -> None:
    check = jsonschema.Draft202012Validator(schema_of("maximize"))
    data = token_result().to_json()
    assert check.is_valid(data)
    changes: list[dict[str, Any]] = [
        {"runs": [{}]},
        {"schema": "actmax.maximize/2"},
        {"positions": "first"},
        {"index": -1},
    ]
    for wrong in changes:
        assert not check.is_valid(data | wrong)
    with pytest.raises(ActmaxError, match=r"choose one of: .*manifest, maximize"):
        schema_of("nothing")


def test_the_contract_of_result_json() -> None:
    """The names that others read."""
    data = soft_result(steps=5, vocab=50).to_json()
    head = ["schema", "unit", "site", "index", "model", "method", "seed", "positions", "settings"]
    assert list(data)[: len(head)] == head
    assert {*head, "runs", "best", "cost"} <= set(data)
    assert {
        *(
            "restart",
            "activation_initial",
            "activation_final",
            "trajectory",
            "ids",
            "tokens",
            "text",
            "cosine",
        ),
        *("activation_of_text", "retokenizes", "cross_entropy"),
    } <= set(data["runs"][0])
    assert set(data["runs"][0]["trajectory"]) == {
        "step",
        "activation",
        "gradient_norm",
        "neighbor_activation",
    }
    assert set(data["best"]) == {"restart", "activation", "text"}
    assert set(data["cost"]) == {"forward_tokens", "backward_tokens", "sequences_scored", "seconds"}
    assert data["schema"] == SCHEMA == "actmax.maximize/1"
    assert "tensors" not in data
    assert "manifest" not in data


def test_numbers_that_are_not_finite_are_null_in_the_file(tmp_path: Path) -> None:
    result = token_result()
    lost = replace(
        result.runs[0], activation_final=float("nan"), cross_entropy=float("inf"), stopped="not finite"
    )
    replace(result, runs=(lost, *result.runs[1:])).save(tmp_path)
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert not re.search(r"\bNaN\b|Infinity", text)
    assert json.loads(text)["runs"][0]["activation_final"] is None
    back = MaximizeResult.load(tmp_path).runs[0]
    assert np.isnan([back.activation_final, back.cross_entropy]).all()


def test_damaged_folders(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    token_result().save(whole)
    for name in ("result.json", "manifest.json", "tensors.safetensors"):
        damaged = tmp_path / f"without-{name}"
        shutil.copytree(whole, damaged)
        (damaged / name).unlink()
        with pytest.raises(ActmaxError, match=f"There is no {re.escape(name)} in"):
            MaximizeResult.load(damaged)
    result = whole / "result.json"
    text = result.read_text(encoding="utf-8")
    for old, new, sentence in (
        ('"actmax.maximize/1"', '"actmax.maximize/9"', "has version '9'"),
        ('"actmax.maximize/1"', '"actmax.observe/1"', "holds 'actmax.observe/1'"),
        ('"seed": 0', '"seed": "0"', "result.json.seed is not a whole number"),
        ('"step": [0,', '"step": [', "does not fit together: activation has 40 entries for 39 steps"),
        ('"best": {\n    "restart": 1', '"best": {\n    "restart": 7', "names a best restart"),
    ):
        assert old in text
        result.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ActmaxError, match=sentence):
            MaximizeResult.load(whole)


def test_a_trajectory_holds_together() -> None:
    with pytest.raises(ValueError, match="gradient_norm has 1 entries for 2 steps"):
        Trajectory((0, 1), (0.0, 1.0), (1.0,), (0.0, 0.0))


@pytest.mark.parametrize("frame", ["to_pandas", "to_polars"])
def test_frames(frame: str) -> None:
    result = token_result()
    runs = getattr(result, frame)()
    assert runs.shape[0] == len(result.runs)
    assert list(runs["restart"]) == [run.restart for run in result.runs]
    assert list(runs["activation_final"]) == [run.activation_final for run in result.runs]
    assert list(runs["ids"][1]) == list(result.runs[1].ids)
    steps = getattr(result, frame)("trajectories")
    assert list(steps.columns) == ["restart", "step", "activation", "gradient_norm", "neighbor_activation"]
    assert steps.shape[0] == sum(len(run.trajectory.step) for run in result.runs)
    assert list(steps["activation"])[40:80] == list(result.runs[1].trajectory.activation)
    assert all(value is None or value != value for value in steps["gradient_norm"])
    with pytest.raises(ActmaxError, match="There is no table 'steps'"):
        result.columns("steps")


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_a_missing_library_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ActmaxError, match=f"{name} is not installed; install it with: pip install {name}"):
        getattr(token_result(), f"to_{name}")()


def test_a_notebook_shows_the_conclusion() -> None:
    html = token_result()._repr_html_()
    assert "The best text found" in html
    assert "<svg" in html
    assert "<html" not in html


def test_without_a_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_MODULES", {})
    with pytest.raises(ActmaxError, match=r"no page is known for actmax\.maximize/1"):
        token_result()._repr_html_()


def test_manifest() -> None:
    made = manifest()
    assert Manifest.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert made.to_json()["schema"] == "actmax.manifest/1"
    assert set(library_versions()) == {"python", "actmax", "torch", "transformers", "numpy"}
    assert library_versions()["torch"] == torch.__version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", utc_now())
    with pytest.raises(ActmaxError, match=r"manifest.model is missing"):
        Manifest.from_json({})


def test_the_command_line_names_no_folder_of_the_program() -> None:
    assert command_line(["/home/someone/.venv/bin/actmax", "maximize", "a b"]) == "actmax maximize 'a b'"
    assert command_line(["/home/someone/actmax/__main__.py", "doctor"]) == "actmax doctor"
    assert command_line([]) == "actmax"
