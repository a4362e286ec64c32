"""Known answers: one point, one plane, nothing in common."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from tests.tiny import tiny_model

from actmax.api.maximize import maximize
from actmax.checks.controls import other_units
from actmax.checks.reproduced import numbers, soft_agreements
from actmax.checks.reproducibility import (
    agreement,
    best_matching,
    participation_ratio,
    verdict,
)
from actmax.checks.soft_batch import SoftProtocol, soft_optima
from actmax.models.sites import resolve

RUNS, POSITIONS, WIDTH = 6, 3, 200


def rows(seed: int = 0) -> torch.Tensor:
    return torch.randn(RUNS, POSITIONS, WIDTH, generator=torch.Generator().manual_seed(seed))


def ids(seed: int = 0) -> torch.Tensor:
    return torch.randint(1000, (RUNS, POSITIONS), generator=torch.Generator().manual_seed(seed))


NOTHING = agreement(rows(), ids(), torch.ones(RUNS))


def test_one_point_in_any_order_of_positions() -> None:
    point = rows(1)[0]
    orders = list(permutations(range(POSITIONS)))[:RUNS]
    found = agreement(
        torch.stack([point[list(order)] for order in orders]), ids()[:1].repeat(RUNS, 1), torch.ones(RUNS)
    )
    assert found.cosine_matched == pytest.approx(1)
    assert found.cosine_by_position < 0.9
    assert found.unique_tokens == len(set(ids()[0].tolist()))
    assert found.activation_spread == 0
    assert verdict(found, NOTHING) == "same point"


def test_one_plane() -> None:
    plane = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(3))
    mixed = torch.randn(RUNS, POSITIONS, 2, generator=torch.Generator().manual_seed(4)) @ plane
    found = agreement(mixed, ids(), torch.ones(RUNS))
    assert 1 <= found.participation_ratio <= 2 + 1e-9
    assert verdict(found, NOTHING) == "same subspace"


def test_nothing_in_common() -> None:
    other = agreement(rows(9), ids(9), torch.arange(RUNS).float())
    assert abs(other.cosine_by_position) < 0.05
    assert verdict(other, NOTHING) == "different solutions"
    assert verdict(NOTHING, NOTHING) == "different solutions", "runs that never left their starts"


def test_participation_ratio_counts_orthogonal_directions() -> None:
    assert participation_ratio(torch.eye(7, 20)) == pytest.approx(7)
    assert participation_ratio(torch.ones(5, 20)) == pytest.approx(1)


@given(st.integers(2, 8), st.integers(0, 10_000))
def test_matching_is_the_best_one(size: int, seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(size, size))
    r, c = linear_sum_assignment(table, maximize=True)
    assert best_matching(table) == pytest.approx(table[r, c].mean())


def test_changes_that_point_the_same_way() -> None:
    start = rows()
    step = torch.randn(POSITIONS, WIDTH, generator=torch.Generator().manual_seed(8))
    found = agreement(start + 0.1 * step, ids(), torch.ones(RUNS), start)
    assert found.cosine_of_change == pytest.approx(1, abs=1e-4)
    assert abs(found.cosine_by_position) < 0.1


def test_rows_with_their_own_units_are_the_runs_of_those_units_alone() -> None:
    model = tiny_model()
    unit, other = (resolve(model, name) for name in ("hidden_states.2:5", "hidden_states.2:9"))
    protocol = SoftProtocol(length=4, steps=12, lr=0.01)
    both = soft_optima(model, [unit, unit, other], protocol, seed=7)
    alone = maximize(model, unit, restarts=2, length=4, steps=12, lr=0.01, seed=7)
    assert both.final[:2].tolist() == pytest.approx([run.activation_final for run in alone.runs], rel=1e-4)
    assert both.on_tokens[:2].tolist() == pytest.approx(
        [run.activation_of_ids for run in alone.runs], rel=1e-4
    )
    assert both.rows(other) == [2]
    third = soft_optima(model, [other] * 3, protocol, seed=7)
    assert float(both.final[2]) == pytest.approx(float(third.final[2]), rel=1e-4)


def test_other_units_are_of_the_site_distinct_and_never_the_unit() -> None:
    model = tiny_model()
    for index in range(4):
        unit = resolve(model, f"hidden_states.2:{index}")
        others = other_units(model, unit, 31, seed=0)
        assert len({other.index for other in others}) == 31
        assert index not in {other.index for other in others}
        assert {other.site for other in others} == {unit.site}


def test_unrelated_units_are_compared_within_or_between_themselves() -> None:
    model = tiny_model()
    unit, one, two, three = (resolve(model, f"hidden_states.2:{k}") for k in (5, 9, 10, 11))
    protocol = SoftProtocol(length=3, steps=5, lr=0.01)
    optima = soft_optima(model, [unit, unit, one, one, two, two], protocol, seed=1)
    found, _, others = soft_agreements(optima, unit, [one, two])
    assert others.label == "2 unrelated units, as many runs"
    within = agreement(optima.optimum[2:4], optima.ids[2:4], optima.final[2:4])
    assert others.agreements[0].cosine_matched == pytest.approx(within.cosine_matched)
    optima = soft_optima(model, [unit, unit, one, two, three], protocol, seed=1)
    found, _, others = soft_agreements(optima, unit, [one, two, three])
    assert others.label == "2 unrelated units, one run each", "as many as the unit has runs"
    assert found.runs == others.agreements[0].runs == 2
    between = agreement(optima.optimum[2:4], optima.ids[2:4], optima.final[2:4])
    assert others.agreements[0].participation_ratio == pytest.approx(between.participation_ratio)
    labels = {
        control.label
        for number in numbers(found, found, others, soft=True)
        if number.name == "activation_spread"
        for control in number.controls
    }
    assert labels == {"random starts"}, "the spread over different units says nothing"
    assert soft_agreements(optima, unit, [one])[2].names == ()
