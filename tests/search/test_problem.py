"""What is maximised over tokens: positions, rules of reading, price and limit of the cross-entropy."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.search.planted import objective_of, tiny_problem

from actmax.errors import ActmaxError
from actmax.inputs.soft import VectorSpace
from actmax.objectives.activation import activation
from actmax.objectives.objective import Objective
from actmax.objectives.penalties import SquaredNorm, cross_entropy, squared_norm
from actmax.objectives.positions import Where
from actmax.search.problem import Problem

VALUES = torch.tensor([[1.0, 5.0, 2.0], [4.0, -3.0, 0.5]])
ALL = torch.ones(2, 3, dtype=torch.bool)
SOME = torch.tensor([[True, False, True], [True, True, False]])
NONE = torch.zeros(2, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("positions", "all_read", "some_read"),
    [
        ("last", [2.0, 0.5], [2.0, torch.nan]),
        ("mean", [8 / 3, 0.5], [1.5, 0.5]),
        ("max", [5.0, 4.0], [2.0, 4.0]),
        ("min", [1.0, -3.0], [1.0, -3.0]),
        (1, [5.0, -3.0], [torch.nan, -3.0]),
    ],
)
def test_positions(positions: Where, all_read: list[float], some_read: list[float]) -> None:
    term = tiny_problem(length=3, positions=positions).reported
    for readable, expected in ((ALL, all_read), (SOME, some_read), (NONE, [torch.nan, torch.nan])):
        torch.testing.assert_close(term.reduce(VALUES, readable), torch.tensor(expected), equal_nan=True)


def score(problem: Problem, activation: list[float], nats: list[float]) -> torch.Tensor:
    gain = problem.gain(torch.tensor(activation).double(), None)
    return problem.score(gain, torch.tensor(nats).double())


def test_score_pays_for_nats() -> None:
    values, nats = [3.0, torch.nan], [2.0, 2.0]
    assert score(tiny_problem(fluency=0.5), values, nats).tolist() == [2.0, -torch.inf]
    assert score(tiny_problem(fluency=0.5, minimize=True), values, nats).tolist() == [-4.0, -torch.inf]


def test_above_the_limit_is_below_everything_within_it_and_ordered() -> None:
    scores = score(tiny_problem(max_cross_entropy=5.0), [1e6, 9e6, -1e6], [5.5, 6.0, 4.9])
    assert scores[2] > scores[0] > scores[1]
    assert scores.isfinite().all()


def test_weights_and_further_terms_are_part_of_the_gain() -> None:
    problem = tiny_problem()
    objective = 2 * problem.objective - 3 * squared_norm() - 0.5 * cross_entropy() - 0.25 * cross_entropy()
    problem = replace(problem, objective=objective)
    one = torch.ones(1).double()
    assert problem.gain(one, -3 * one).tolist() == [-1.0]
    assert problem.price == 0.75
    assert problem.score(one, 4 * one).tolist() == [-2.0]
    assert [type(term).__name__ for _, term in problem.terms] == ["Activation", "SquaredNorm"]


@pytest.mark.parametrize("limit", [0.0, float("nan"), -1.0])
def test_senseless_limits_are_refused(limit: float) -> None:
    with pytest.raises(ActmaxError, match="give a number"):
        tiny_problem(max_cross_entropy=limit)


def test_objectives_that_a_space_cannot_have_are_refused() -> None:
    problem = tiny_problem()
    with pytest.raises(ActmaxError, match="begins with the activation of a unit, not with Σθ²"):
        replace(problem, objective=Objective(((1.0, SquaredNorm()),)))
    vectors = VectorSpace(problem.model, torch.zeros(1, 4, problem.model.d_model))
    with pytest.raises(ActmaxError, match="Vectors have no cross-entropy"):
        Problem(activation(problem.unit) - cross_entropy(), vectors)
    with pytest.raises(ActmaxError, match="Position 4 is not one of those that are read; give 0 to 3"):
        Problem(activation(problem.unit, 4), vectors)
    assert Problem(objective_of(problem.unit, None, positions=3), vectors).reported.positions == 3
