from __future__ import annotations

import importlib
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def same(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("same_numbers")
    for name in {"same_numbers", "every_verb", "checkouts"} - before:
        sys.modules.pop(name, None)


def found(same: ModuleType, old: Any, new: Any) -> list[str]:
    return list(same.tree_differences("out/result.json", old, new))


RESULT = {
    "schema": "actmax.maximize/1",
    "runs": [{"activation": 0.1, "ids": [3, 4]}],
    "cost": {"seconds": 1.0},
}


def test_what_is_added_and_what_takes_time_is_no_difference(same: ModuleType) -> None:
    new = {**RESULT, "more": [1, 2], "cost": {"seconds": 7.0}}
    assert found(same, RESULT, new) == []


@pytest.mark.parametrize(
    "run",
    [
        {"activation": 0.1 + 1e-16, "ids": [3, 4]},
        {"activation": 0.1, "ids": [4, 3]},
        {"activation": 0.1, "ids": [3, 4, 5]},
        {"activation": 0.1, "ids": [3]},
        {"activation": None, "ids": [3, 4]},
        {"ids": [3, 4]},
    ],
)
def test_a_number_that_changed_or_went_is_found(same: ModuleType, run: dict[str, Any]) -> None:
    assert found(same, RESULT, {**RESULT, "runs": [run]})


def test_the_tables_allow_what_they_name_and_no_more(
    same: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = {**RESULT, "runs": [{"value": 0.1 * (1 + 1e-12), "ids": [3, 4]}]}
    assert found(same, RESULT, new)
    monkeypatch.setitem(same.RENAMED, "maximize.runs.*.activation", "maximize.runs.*.value")
    assert found(same, RESULT, new)
    monkeypatch.setitem(same.TOLERANCE, "maximize.runs.*.value", 1e-9)
    assert found(same, RESULT, new) == []
    new["runs"] = [{"value": 0.1 * (1 + 1e-6), "ids": [3, 4]}]
    assert len(found(same, RESULT, new)) == 1


def test_signs_of_zero_and_nan_are_told_apart(same: ModuleType) -> None:
    assert found(same, {"x": 0.0, "y": float("nan")}, {"x": 0.0, "y": float("nan")}) == []
    assert len(found(same, {"x": 0.0, "y": 1.0}, {"x": -0.0, "y": float("nan")})) == 2


def test_a_journal_is_read_in_the_order_of_scoring(same: ModuleType) -> None:
    def record(head: dict[str, Any], body: bytes) -> bytes:
        text = json.dumps(head).encode()
        return bytes(same.MAGIC + same.LENGTHS.pack(len(text), len(body)) + text + body + b"?" * same.CHECK)

    def answer(question: str, values: list[float]) -> bytes:
        shapes = {"tokens": ["int64", [1]], "activation": ["float64", [len(values)]]}
        body = struct.pack("<q", 7) + struct.pack(f"<{len(values)}d", *values)
        return record(
            {"question": question, "cost": {"sequences_scored": 3}, "cut": False, "arrays": shapes}, body
        )

    data = record({"schema": "actmax.journal/1", "arrays": {}}, b"")
    read = same.journal(data + answer("ids:ab", [1.0, 2.0]) + answer("gradient:cd", [3.0]))
    assert read["activations"] == [1.0, 2.0, 3.0]
    assert read["questions"] == ["ids:ab", "gradient"]
    assert list(read["arrays"]) == ["tokens"]
