"""What holds for every method over tokens, found in the folder: a new one is tested by being there."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.planted import planted_problem, tiny_problem

from actmax.errors import ActmaxError
from actmax.search import engine
from actmax.search.method import Step
from actmax.search.problem import Problem
from actmax.search.registry import method_class, token_methods
from actmax.search.run import SPENT, STOPPED, Outcome, run, run_each
from actmax.search.scorer import Scorer
from actmax.search.solution import solution_of

METHODS = token_methods()
BUDGET = 180
"""Reaches for every allowed token of the tiny models."""
FEW = {"pez": 60, "gumbel": 90}
"""Less for the methods that take a gradient for every sequence: their tests are slow."""


def problem_for(name: str, **options: Any) -> Problem:
    return tiny_problem(**{"length": 1 if name == "exhaustive" else 4} | options)


def search(name: str, problem: Problem, budget: int | None = None, seed: int = 0, **options: Any) -> Outcome:
    return run(method_class(name)(), problem, budget or FEW.get(name, BUDGET), seed=seed, **options)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "goal",
    [
        {},
        {"positions": "mean", "minimize": True},
        {"positions": "max", "suffix": " the cat", "prefix": "dog"},
        {"max_cross_entropy": 12.0},
        {"fluency": 0.5},
    ],
    ids=["last", "mean-minimize", "max-framed", "limited", "fluent"],
)
def test_claims_are_true(name: str, goal: dict[str, Any]) -> None:
    problem = problem_for(name, **goal)
    outcome = search(name, problem)
    assert outcome.best is not None
    assert 0 < outcome.cost.sequences_scored <= BUDGET
    for one in [*outcome.solutions, *outcome.frontier]:
        again = solution_of(problem, one.ids)
        assert (again.activation, again.nats) == (one.activation, one.nats)
        ids = torch.tensor([one.ids])
        assert problem.tokens.allowed.mask[ids].all()
        assert problem.tokens.keep(ids).all()
        assert problem.tokens.least <= len(one.ids) <= problem.tokens.length
    scores = [one.score for one in outcome.solutions]
    assert scores == sorted(scores, reverse=True)
    best = max((run.best for run in outcome.restarts if run.best is not None), key=lambda one: one.score)
    assert best.score == outcome.best.score
    claimed = max(run.curve[-1].score for run in outcome.restarts if run.curve)
    assert claimed == pytest.approx(outcome.best.score, rel=1e-4, abs=1e-4)
    if problem.limit is not None:
        assert all(one.nats <= problem.limit for one in outcome.solutions)


@pytest.mark.parametrize("name", METHODS)
def test_masked_tokens_never_appear(name: str) -> None:
    allowed = tiny_problem().tokens.allowed
    mask = allowed.mask.clone()
    mask[allowed.ids[torch.randperm(len(allowed.ids), generator=torch.Generator().manual_seed(0))[20:]]] = (
        False
    )
    problem = problem_for(name, allowed=dataclasses.replace(allowed, mask=mask), reachable=False)
    outcome = search(name, problem)
    assert outcome.best is not None
    assert {token for one in outcome.candidates for token in one.ids} <= set(
        mask.nonzero().flatten().tolist()
    )


@pytest.mark.parametrize("name", METHODS)
def test_nothing_beats_exhaustive_on_one_token(name: str) -> None:
    problem = tiny_problem(length=1)
    exact = search("exhaustive", problem, 10_000)
    assert exact.best is not None
    assert exact.restarts[0].ended == "every allowed token was scored"
    assert exact.cost.sequences_scored == len(problem.tokens.allowed.ids)
    other = search(name, problem)
    assert other.best is not None
    assert other.best.score <= exact.best.score + 1e-6
    brute = max(solution_of(problem, (int(token),)).score for token in problem.tokens.allowed.ids)
    assert exact.best.score == pytest.approx(brute, rel=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_steps(name: str) -> None:
    problem = problem_for(name)
    paths: list[list[tuple[Any, ...]]] = []
    for seed in (3, 3, 4):
        path: list[tuple[Any, ...]] = []

        def note(restart: int, step: Step, scorer: Scorer, path: list[tuple[Any, ...]] = path) -> None:
            path.append((restart, step.index, step.rows, step.scores))

        search(name, problem, seed=seed, on_step=note)
        paths.append(path)
    assert paths[0] == paths[1]
    assert paths[0]
    if name != "exhaustive":
        assert paths[0] != paths[2]


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=5)
@given(budget=st.integers(1, 60), restarts=st.sampled_from([None, 1, 3]))
def test_budget_is_never_exceeded(name: str, budget: int, restarts: int | None) -> None:
    outcome = search(name, problem_for(name), budget, restarts=restarts)
    assert outcome.cost.sequences_scored <= budget
    if restarts != 3 and name != "exhaustive" and outcome.restarts[-1].ended == SPENT:
        assert outcome.cost.sequences_scored == budget


@pytest.mark.parametrize("name", METHODS)
def test_batch_size_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_for(name)
    one = search(name, problem)
    monkeypatch.setattr(engine, "_TOKENS", 37)
    other = search(name, problem)
    assert one.best is not None
    assert other.best is not None
    assert one.best.ids == other.best.ids
    assert one.cost.sequences_scored == other.cost.sequences_scored


@pytest.mark.parametrize("name", METHODS)
def test_interruption_keeps_what_was_found(name: str) -> None:
    def stop(restart: int, step: Step, scorer: Scorer) -> None:
        raise KeyboardInterrupt

    outcome = search(name, problem_for(name), on_step=stop)
    assert not outcome.complete
    assert outcome.restarts[-1].ended == STOPPED
    assert name == "beam" or outcome.best is not None  # (a beam's first rows are too short to be results)


@pytest.mark.parametrize("name", ["coordinate", "gcg", "hotflip"])
def test_gradient_methods_find_a_planted_phrase(name: str) -> None:
    problem, phrase = planted_problem()
    outcome = search(name, problem, 1500)
    assert outcome.best is not None
    assert outcome.best.ids == phrase


def test_convergence_is_reported_and_the_budget_goes_to_restarts() -> None:
    problem = tiny_problem(length=2)
    once = search("hotflip", problem, 2000, restarts=1)
    assert once.cost.sequences_scored < 2000
    assert once.restarts[0].ended == "no flip that the gradient proposes improves the score"
    more = search("hotflip", problem, 400)
    assert len(more.restarts) > 1
    assert more.cost.sequences_scored == 400


def test_exhaustive_wants_one_token() -> None:
    with pytest.raises(ActmaxError, match="--length 1"):
        search("exhaustive", tiny_problem(length=3))


def test_each_reads_every_position() -> None:
    problem = tiny_problem(length=3, suffix=" cat")
    found = run_each(method_class("random")(), problem, 90)
    after = len(problem.frame.after)
    assert list(found) == list(range(3 + after))
    for place, outcome in found.items():
        assert outcome.best is not None
        assert outcome.cost.sequences_scored == 90 // (3 + after)
        whole = torch.tensor([[*problem.frame.before, *outcome.best.ids, *problem.frame.after]])
        hidden = problem.model.net(input_ids=whole, output_hidden_states=True).hidden_states[2]
        assert outcome.best.activation == pytest.approx(float(hidden[0, 1 + place, 3]), rel=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_frozen_settings_with_a_written_algorithm(name: str) -> None:
    kind = method_class(name)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    text = str(sys.modules[kind.__module__].__doc__)
    assert "1. " in text
    assert "2. " in text
    with pytest.raises(dataclasses.FrozenInstanceError):
        method_class(name)().anything = 1  # type: ignore[attr-defined]
