"""The relations hold on every family, and a wrong row of the table is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.tiny import tiny_model

from actmax.checks.rebuild import relations
from actmax.models.families import out


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "gemma2", "opt", "phi"])
def test_they_hold_on_tiny_models_of_every_kind(family: str) -> None:
    found = relations(tiny_model(family))
    assert [one.name for one in found] == [
        "blocks rebuild",
        "hidden states",
        "last hidden state",
        "embeddings path",
    ]
    assert all(one.holds for one in found), found
    assert all(one.relative < 1e-5 for one in found if one.relative == one.relative)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"attn_out": out("input_layernorm")}, "blocks rebuild"),
        ({"mlp_out": out("self_attn.o_proj")}, "blocks rebuild"),
        ({"final_norm": "model.layers.2.input_layernorm"}, "last hidden state"),
    ],
)
def test_a_wrong_row_is_found_out(change: dict[str, object], broken: str) -> None:
    model = tiny_model("llama")
    wrong = replace(model, family=replace(model.family, **change))  # type: ignore[arg-type]
    failed = [one for one in relations(wrong) if not one.holds]
    assert [one.name for one in failed] == [broken]
    assert failed[0].relative > 0.01
    assert failed[0].where


def test_an_embedding_that_is_scaled_elsewhere_is_found_out() -> None:
    model = tiny_model("llama")
    wrong = replace(model)
    wrong.__dict__["embedding"] = model.embedding * 2
    (failed,) = [one for one in relations(wrong) if not one.holds]
    assert failed.name == "embeddings path"
