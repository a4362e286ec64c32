"""Every check works in half precision, on sites of every kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.checks.planted import letters
from tests.tiny import tiny_model

from actmax.api.check import check
from actmax.api.investigate import investigate
from actmax.api.reproduce import reproduce
from actmax.checks.registry import assumptions
from actmax.models.load import wrap
from actmax.models.model import Model

BRIEF = {"corpus": letters(documents=3), "others": 2, "steps": 3, "length": 2, "shuffled": False}


def half(family: str, dtype: torch.dtype) -> Model:
    model = tiny_model(family)
    net: Any = model.net
    return wrap(net.to(dtype), model.tokenizer)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("family", "unit"),
    [
        ("llama", "hidden_states.2:5"),
        ("llama", "blocks.1.mlp.hook_post:3"),
        ("gpt2", "blocks.1.attn.hook_z:3"),
        ("llama", "unembed.hook_logits:7"),
    ],
)
def test_checks_are_made_in_half_precision(family: str, unit: str, dtype: torch.dtype) -> None:
    result = check(half(family, dtype), unit, **BRIEF)  # type: ignore[arg-type]
    assert result.complete
    assert [one.name for one in result.checks] == [one.name for one in assumptions()]
    assert result.manifest.dtype == str(dtype).removeprefix("torch.")
    full = check(tiny_model(family), unit, **BRIEF)  # type: ignore[arg-type]
    for name, number in (("importance", "ablation_kl"), ("readability", "detection_auc")):
        rough, exact = result.check(name).number(number).value, full.check(name).number(number).value
        assert rough == pytest.approx(exact, rel=0.25, abs=0.05), number


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_investigate_and_reproduce_work_in_half_precision(dtype: torch.dtype) -> None:
    model = half("llama", dtype)
    found = investigate(model, "hidden_states.2:5", runs=2, method=None, **BRIEF)  # type: ignore[arg-type]
    assert len(found.conclusion) == 3
    assert reproduce(model, "hidden_states.2:5", runs=2, steps=3, length=2).conclusion
