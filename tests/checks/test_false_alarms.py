"""How often chance is called meaningful: 50 units of a model with shuffled weights."""

from __future__ import annotations

import numpy as np
import pytest
from tests.checks.planted import letters
from tests.tiny import tiny_model

from actmax.checks.assumption import Assumption, Measure
from actmax.checks.ranks import rank_p
from actmax.checks.run import gather, measures, sample_of
from actmax.checks.shuffled import shuffled_copy
from actmax.checks.soft_batch import SoftProtocol
from actmax.checks.verdicts import LEVEL
from actmax.models.sites import resolve

UNITS, OTHERS = 50, 13
"""The site has 64 units; all are measured in one go."""


@pytest.fixture(scope="module")
def found() -> list[tuple[Assumption, Measure]]:
    model = shuffled_copy(tiny_model("llama"), 1)
    unit = resolve(model, "blocks.1.mlp.hook_post:0")
    brief = SoftProtocol(length=3, steps=5, lr=0.01)
    sample = sample_of(model, unit, letters(documents=5), 0, UNITS + OTHERS)
    return list(measures(gather(sample, 0, protocol=brief)))


def test_each_check_calls_at_most_five_percent_of_them_meaningful(
    found: list[tuple[Assumption, Measure]],
) -> None:
    assert [one.name for one, _ in found] == ["one-feature", "importance", "continuity", "readability"]
    for check, measure in found:
        values = [measure.statistic, *measure.others]
        assert len(values) == UNITS + OTHERS + 1
        p = [rank_p(value, values[:k] + values[k + 1 :]) for k, value in enumerate(values)]
        assert sum(one <= LEVEL for one in p) <= LEVEL * len(values), check.name
        rng = np.random.default_rng(0)
        alarms = 0
        for k in range(UNITS):
            rest = values[:k] + values[k + 1 :]
            chosen = rng.choice(len(rest), 19, replace=False)
            alarms += rank_p(values[k], [rest[j] for j in chosen]) <= LEVEL
        assert alarms <= 6, f"{check.name}: {alarms} of {UNITS}, where 2.5 are expected"
