"""Objectives as text: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from tests.tiny import WIDTH, tiny_ids, tiny_model

from actmax.errors import ActmaxError
from actmax.models.read import read
from actmax.objectives.expression import is_expression, parse_objective
from actmax.objectives.objective import Objective, Reading

MODEL = tiny_model("llama")
A, B, C = "hidden_states.2:3", "blocks.0.mlp.hook_post:5", "hook_embed:1"


def score(objective: Objective) -> list[float]:
    ids = tiny_ids(3, 6)
    with torch.no_grad():
        found: list[float] = objective(Reading(read(MODEL, objective.needs, ids=ids), ids)).tolist()
    return found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (A, f"last({A})"),
        (f"-{A}", f"- last({A})"),
        (f"{A} - 0.5*{B}", f"last({A} - 0.5 · {B})"),
        (f"2*{A} + {B}", f"2 · last({A} + 0.5 · {B})"),
        (f"- .5 * {A} + 1e1*max({B} - {C})", f"- 0.5 · last({A}) + 10 · max({B} - {C})"),
        (f"mean({A}) - 0.2*cross_entropy", f"mean({A}) - 0.2 · nats per token"),
        (f"at3({A}) - 0.01*squared_norm", f"position 3({A}) - 0.01 · Σθ²"),
        (f"min({A}) + {B} - {C}", f"min({A}) + last({B} - {C})"),
        (f'unembed.hook_logits:"a" - 3*{A}', f'last(unembed.hook_logits:"a" - 3 · {A})'),
    ],
)
def test_what_is_read(text: str, words: str) -> None:
    assert str(parse_objective(MODEL, text, "last")) == words
    assert is_expression(text) == (text != A)


number = st.floats(-9, 9).filter(lambda x: abs(x) > 0.01).map(lambda x: round(x, 3))


@given(weights=st.tuples(number, number, number))
def test_units_outside_of_parentheses_are_one_sum(weights: tuple[float, float, float]) -> None:
    """Read at the last position it is the sum of the units' own scores there, whatever the signs."""
    parts = [f"{'-' if w < 0 else '+'} {abs(w)}*{unit}" for w, unit in zip(weights, (A, B, C), strict=True)]
    whole = score(parse_objective(MODEL, " ".join(parts).removeprefix("+ "), "last"))
    each = [score(parse_objective(MODEL, unit, "last")) for unit in (A, B, C)]
    expected = [
        sum(w * value for w, value in zip(weights, values, strict=True)) for values in zip(*each, strict=True)
    ]
    assert whole == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_maximum_of_a_sum_is_not_a_sum_of_maxima() -> None:
    together, apart = (
        score(parse_objective(MODEL, text, "last")) for text in (f"max({A} + {B})", f"max({A}) + max({B})")
    )
    assert all(one <= other + 1e-6 for one, other in zip(together, apart, strict=True))
    assert together != pytest.approx(apart)


def test_a_direction_whose_file_has_an_operator_in_its_name(tmp_path: Path) -> None:
    save_file({"d-1": torch.eye(WIDTH)[3]}, tmp_path / "a-b+c*(d).safetensors")
    unit = f"hidden_states.2:@{tmp_path / 'a-b+c*(d).safetensors'}#d-1"
    assert not is_expression(unit)
    assert score(parse_objective(MODEL, f"{A} - {unit}", "mean")) == pytest.approx([0.0] * 3, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{A} - ", "A part of the objective .* is empty"),
        (f"{A} + 0*{B}", "The weight of blocks.0.mlp.hook_post:5 is 0"),
        (f"{A} - nonsense", "'nonsense' is not a unit"),
        (f"median({A}) + {B}", "has no site"),
        (f"{A} - 0.5*hidden_states.9:1", "out of range"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(ActmaxError, match=said):
        parse_objective(MODEL, text, "last")
