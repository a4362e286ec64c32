"""What is maximised: positions, sinks, fluency."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import tiny_model

from actmax.errors import ActmaxError
from actmax.models.sites import resolve
from actmax.search.goal import Goal

VALUES = torch.tensor([[1.0, 5.0, 2.0], [4.0, -3.0, 0.5]])
ALL = torch.ones(2, 3, dtype=torch.bool)
SOME = torch.tensor([[True, False, True], [True, True, False]])
NONE = torch.zeros(2, 3, dtype=torch.bool)


def goal(**settings: object) -> Goal:
    return Goal(resolve(tiny_model("llama"), "blocks.1.hook_resid_post:3"), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("positions", "minimize", "all_read", "some_read"),
    [
        ("last", False, [2.0, 0.5], [2.0, torch.nan]),
        ("mean", False, [8 / 3, 0.5], [1.5, 0.5]),
        ("max", False, [5.0, 4.0], [2.0, 4.0]),
        ("max", True, [1.0, -3.0], [1.0, -3.0]),
        (1, False, [5.0, -3.0], [torch.nan, -3.0]),
    ],
)
def test_positions(
    positions: str | int, minimize: bool, all_read: list[float], some_read: list[float]
) -> None:
    g = goal(positions=positions, minimize=minimize)
    for readable, expected in ((ALL, all_read), (SOME, some_read), (NONE, [torch.nan, torch.nan])):
        torch.testing.assert_close(g.reduce(VALUES, readable), torch.tensor(expected), equal_nan=True)


def test_score_pays_for_nats() -> None:
    activation, nats = torch.tensor([3.0, torch.nan]).double(), torch.tensor([2.0, 2.0]).double()
    assert goal(fluency=0.5).score(activation, nats).tolist() == [2.0, -torch.inf]
    assert goal(fluency=0.5, minimize=True).score(activation, nats).tolist() == [-4.0, -torch.inf]


def test_above_the_limit_is_below_everything_within_it_and_ordered() -> None:
    activation = torch.tensor([1e6, 9e6, -1e6]).double()
    scores = goal(max_nats=5.0).score(activation, torch.tensor([5.5, 6.0, 4.9]).double())
    assert scores[2] > scores[0] > scores[1]
    assert scores.isfinite().all()


@pytest.mark.parametrize("settings", [{"fluency": -1.0}, {"max_nats": 0.0}, {"max_nats": float("nan")}])
def test_senseless_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ActmaxError, match="give a number"):
        goal(**settings)
