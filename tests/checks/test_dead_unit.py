"""A unit that never changes: an honest verdict, and nothing on stderr (in tests a warning is an error)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.checks.planted import letters
from tests.tiny import tiny_model

from actmax.api.check import check
from actmax.api.investigate import investigate
from actmax.models.model import Model
from actmax.report.check import page

UNIT = "blocks.1.mlp.hook_post:0"
BRIEF = {"corpus": letters(documents=4), "others": 5, "steps": 3, "length": 2}


def dead(*, others: bool) -> Model:
    """A model whose ReLU units of block 1 are never active: the first, or all but every third."""
    model = tiny_model("opt")
    net: Any = model.net
    bias = net.model.decoder.layers[1].fc1.bias
    with torch.no_grad():
        bias[[k for k in range(len(bias)) if k % 3 != 1] if others else [0]] = -1e4
    return model


@pytest.mark.parametrize("others", [False, True])
def test_nothing_is_claimed_of_a_unit_that_is_zero_everywhere(others: bool) -> None:
    result = check(dead(others=others), UNIT, **BRIEF)  # type: ignore[arg-type]
    assert result.complete
    for name in ("one-feature", "importance", "readability"):
        one = result.check(name)
        assert (one.answer, one.standing, one.meaningful) == ("not measured", "not compared", False)
        assert one.sentence.startswith("The unit is 0 at all ")
        assert one.numbers == ()
    continuity = result.check("continuity")
    assert (continuity.answer, continuity.standing) == ("ascent finds nothing", "not compared")
    assert "could not be compared" in result.conclusion[0]
    assert "stands out" not in result.conclusion[0]
    assert "The unit is 0 at all" in page(result)


def test_an_investigation_says_so_in_its_first_sentence() -> None:
    result = investigate(dead(others=True), UNIT, runs=2, method=None, **BRIEF)  # type: ignore[arg-type]
    assert result.conclusion[0].startswith("In real text, nothing can be said: the unit is 0 at all ")
    assert all(text.resemblance != text.resemblance for text in result.texts), "NaN: there is no example"


def test_a_unit_that_is_alive_is_compared_with_dead_ones(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    result = check(dead(others=True), "blocks.1.mlp.hook_post:1", **BRIEF)  # type: ignore[arg-type]
    result.save(tmp_path)
    assert all(one.numbers for one in result.checks)
    assert capfd.readouterr() == ("", "")
