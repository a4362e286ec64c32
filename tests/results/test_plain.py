"""Dataclasses to JSON and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actmax.errors import ActmaxError
from actmax.results.plain import from_plain, json_text, to_plain


@dataclass(frozen=True)
class Inner:
    value: float
    name: str = "x"


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: tuple[Inner, ...]
    table: Mapping[str, float]
    maybe: float | None
    anything: Any
    flag: bool = False
    number: int = 0


NUMBERS = st.floats()
TEXT = st.text(st.characters(exclude_categories=()))
INNERS = st.builds(Inner, NUMBERS, TEXT)
OUTERS = st.builds(
    Outer,
    INNERS,
    st.lists(INNERS).map(tuple),
    st.dictionaries(TEXT, NUMBERS),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.recursive(st.none() | st.booleans() | st.integers() | TEXT, st.lists, max_leaves=4),
    st.booleans(),
    st.integers(),
)


@given(OUTERS)
def test_round_trip_is_exact_and_has_no_nan(outer: Outer) -> None:
    text = json_text(outer)
    text.encode()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    back = from_plain(Outer, data)
    assert to_plain(back) == to_plain(outer)
    assert repr(back.inner.value) == repr(outer.inner.value if math.isfinite(outer.inner.value) else math.nan)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_comes_back_bit_for_bit(value: float) -> None:
    assert math.copysign(1, from_plain(Inner, json.loads(json_text(Inner(value)))).value) == math.copysign(
        1, value
    )
    assert from_plain(Inner, json.loads(json_text(Inner(value)))).value == value


def test_lists_of_numbers_take_one_line() -> None:
    assert json_text({"a": [1, 2.5, None], "b": [{"c": []}]}) == (
        '{\n  "a": [1, 2.5, null],\n  "b": [\n    {\n      "c": []\n    }\n  ]\n}\n'
    )


def test_unknown_fields_are_skipped_and_defaults_filled() -> None:
    assert from_plain(Inner, {"value": 1, "later": []}) == Inner(1.0, "x")


WHOLE: dict[str, Any] = {
    "inner": {"value": 1.0},
    "many": [],
    "table": {},
    "maybe": None,
    "anything": 1,
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inner": {}}, "result.json.inner.value is missing"),
        ({"inner": {"value": "1"}}, "result.json.inner.value is not a number"),
        ({"inner": {"value": True}}, "result.json.inner.value is not a number"),
        ({"inner": []}, "result.json.inner is not an object"),
        ({"many": {}}, "result.json.many is not a list"),
        ({"many": [{"value": 1}, 3]}, r"result.json.many\[1\] is not an object"),
        ({"table": [1]}, "result.json.table is not an object"),
        ({"number": 1.5}, "result.json.number is not a whole number"),
        ({"number": True}, "result.json.number is not a whole number"),
        ({"flag": 1}, "result.json.flag is not true or false"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ActmaxError, match=sentence):
        from_plain(Outer, WHOLE | change, "result.json")


def test_only_plain_data_is_written() -> None:
    with pytest.raises(TypeError, match="not bytes"):
        to_plain({"a": b"x"})
