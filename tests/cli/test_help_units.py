"""The units in the examples of every verb's help are units of the default model."""

from __future__ import annotations

import re

import pytest
from tests.real import real_model

from actmax.cli.main import main
from actmax.cli.registry import all_verbs
from actmax.models.sites import resolve

_UNIT = re.compile(r"(?<![\w.])((?:blocks|hidden_states)\.[\w.]+:\d+)")


@pytest.mark.real
def test_units_in_examples_exist(capsys: pytest.CaptureFixture[str]) -> None:
    model = real_model()
    found = set()
    for verb in all_verbs():
        main([*verb.name.split(), "--help"])
        for line in capsys.readouterr().out.splitlines():
            found |= set(_UNIT.findall(line)) if "--model" not in line else set()
    assert "hidden_states.4:90" in found
    for unit in found:
        resolve(model, unit)
