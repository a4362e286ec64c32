"""Hybrid: a planted phrase, starts that are never made worse, limits that are kept, and its parts alone."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.planted import planted_problem, tiny_problem

from actmax.search.answers import Scored
from actmax.search.hybrid import screening
from actmax.search.hybrid.moves import FREE, PROBABLE, Moves, merged
from actmax.search.hybrid.population import Memory, differences
from actmax.search.hybrid.screening import Described, predicted_best
from actmax.search.hybrid.starts import newcomers, starting_rows
from actmax.search.meter import BudgetSpent
from actmax.search.method import Step
from actmax.search.methods.exhaustive import Exhaustive
from actmax.search.methods.hybrid import Hybrid
from actmax.search.problem import Problem
from actmax.search.run import run
from actmax.search.scorer import Scorer
from actmax.search.written import written


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("length", [3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_phrase_is_found(length: int, seed: int) -> None:
    problem, phrase = planted_problem(length=length)
    best = run(Hybrid(), problem, 1500, seed=seed).best
    assert best is not None
    assert best.ids[-3:] == phrase


def with_space(problem: Problem, **changed: Any) -> Problem:
    return dataclasses.replace(problem, space=dataclasses.replace(problem.tokens, **changed))


def with_starts(problem: Problem, n: int = 4) -> Problem:
    rows = problem.tokens.random(n, problem.tokens.length, rng(5))
    return with_space(problem, starts=tuple(map(tuple, rows.tolist())))


@pytest.mark.parametrize("budget", [4, 40, 200])
def test_never_below_the_best_start(budget: int) -> None:
    problem = with_starts(tiny_problem())
    start = float(Scorer(problem).ids(torch.tensor(problem.tokens.starts)).scores.max())
    best = run(Hybrid(), problem, budget).best
    assert best is not None
    assert best.score >= start - 1e-4  # (alone and in a batch differ by rounding)


def test_more_than_random_at_the_same_budget() -> None:
    problem = tiny_problem(length=6)
    scorer = Scorer(problem, 300)
    random = float(scorer.ids(problem.tokens.random(300, 6, rng())).scores.max())
    best = run(Hybrid(), problem, 300).best
    assert best is not None
    assert best.score > random


def test_a_limit_between_what_is_probable_and_what_is_active_is_kept() -> None:
    free = tiny_problem(length=4)
    rows = free.tokens.random(64, 4, rng())
    nats = Scorer(free).ids(rows, nats=True).nats
    assert nats is not None
    limit = float(nats.quantile(0.3))
    problem = with_space(free, max_cross_entropy=limit)
    outcome = run(Hybrid(), problem, 300)
    assert outcome.best is not None
    assert all(one.nats <= limit for one in outcome.solutions)


def test_an_island_is_begun_where_the_population_has_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newcomers come when the best has not changed for a while; they are the pool, then join the old one."""
    problem = tiny_problem(length=3)
    islands: list[tuple[int, set[tuple[int, ...]]]] = []
    path: list[Step] = []

    def watched(*given: Any) -> set[tuple[int, ...]]:
        islands.append((len(path), newcomers(*given)))
        return islands[-1][1]

    monkeypatch.setattr("actmax.search.methods.hybrid.newcomers", watched)
    scorer, method = Scorer(problem, 600), Hybrid(patience=2, batch=6)
    steps = method.search(scorer, problem, rng())
    with contextlib.suppress(BudgetSpent):
        path.extend(iter(steps))
    assert islands, "none was begun"
    begun, rows = islands[0]
    bests = [max(step.scores) for step in path[:begun]]
    assert begun >= 2 * 3
    assert len(set(bests[-6:])) == 1, "the best had not changed for two steps for each token"
    assert set(path[begun].rows) <= rows, "the island is the population"
    assert not set(path[begun].rows) & set(path[begun - 1].rows)
    later = [set(step.rows) for step in path[begun + 1 :]]
    old = set(path[begun - 1].rows)
    assert any(old & pool for pool in later), "the island lets its best into the old population"


def test_starts_are_cut_filled_and_masked() -> None:
    problem = tiny_problem(length=3)
    good = problem.tokens.allowed.ids[:5].tolist()
    bad = int((~problem.tokens.allowed.mask).nonzero()[0])
    problem = with_space(problem, starts=(tuple(good), (good[4],), (bad, good[0], good[1])))
    rows = starting_rows(problem, rng()).tolist()
    assert rows[0] == good[2:]
    assert rows[1][2:] == [good[4]]
    assert len(rows) == 2


def test_written_text_is_allowed_and_of_the_length() -> None:
    problem = tiny_problem(length=4)
    scorer = Scorer(problem)
    rows = written(scorer, problem, rng())
    assert rows.shape[1] == 4
    assert bool(problem.tokens.keep(rows).all())
    assert scorer.cost.sequences_scored == 0
    assert scorer.cost.forward_tokens > 0


def test_newcomers_move_an_active_middle_to_the_end() -> None:
    problem = tiny_problem(length=6)
    scorer, memory = Scorer(problem), Memory(problem)
    rows = newcomers(scorer, problem, memory, rng())
    assert all(row in memory for row in rows)
    first = problem.tokens.random(16, 6, rng())
    values = Scorer(problem).ids(first, everywhere=True).values
    assert values is not None
    row, at = divmod(int(values[:, 2:-1].flatten().argmax()), 3)
    beginning = tuple(first[row, : at + 3].tolist())
    assert any(one[-len(beginning) :] == beginning for one in rows)
    assert scorer.cost.sequences_scored == len(memory)


@pytest.mark.parametrize("goal", [{"positions": "mean"}, {"suffix": " cat"}, {"max_cross_entropy": 20.0}])
def test_newcomers_of_other_goals_are_rows_that_may_be_given(goal: dict[str, Any]) -> None:
    problem = tiny_problem(length=4, **goal)
    scorer, memory = Scorer(problem), Memory(problem)
    rows = problem.tokens.random(6, 4, rng(1))
    memory.add(rows, scorer.ids(rows))
    found = newcomers(scorer, problem, memory, rng())
    assert found
    assert bool(problem.tokens.keep(torch.tensor(sorted(found))).all())


row = st.lists(st.integers(0, 9), min_size=4, max_size=4).map(tuple)


@settings(max_examples=60)
@given(
    parent=row,
    pool=st.lists(row, min_size=1, max_size=3),
    seed=st.integers(0, 999),
    kinds=st.sampled_from([FREE, PROBABLE]),
)
def test_moves_keep_the_length_and_use_known_tokens(
    parent: tuple[int, ...], pool: list[tuple[int, ...]], seed: int, kinds: Mapping[str, float]
) -> None:
    tokens = torch.arange(100, 120).reshape(4, 5)
    moves = Moves(4, kinds, radius=1.5, slant=0.1)
    known = {*parent, *(token for other in pool for token in other), *tokens.flatten().tolist()}
    for _ in range(4):
        child = moves.child(parent, tokens, pool, rng(seed))
        assert len(child) == 4
        assert set(child) <= known


def test_late_positions_are_changed_more_often() -> None:
    moves, parent = Moves(4, {"substitute": 1.0}, radius=1.0, slant=1.0), (0, 0, 0, 0)
    changed = [0, 0, 0, 0]
    for seed in range(200):
        for at, token in enumerate(moves.child(parent, torch.ones(4, 2).long(), [parent], rng(seed))):
            changed[at] += token
    assert sum(changed) == 200
    assert changed == sorted(changed)
    assert changed[3] > 100


def test_changes_of_better_children_are_put_together() -> None:
    parent, better = (0, 0, 0), [(1, 0, 0), (2, 3, 0), (0, 0, 4)]
    assert merged(parent, better, 6) == [(1, 3, 0), (1, 3, 4)]
    assert merged(parent, better, 1) == [(1, 3, 0)]
    assert merged(parent, better[:1], 6) == []


def test_gains_that_add_up_are_found_together() -> None:
    """Of a sum over positions the merged row is better than every single change."""
    parent = (0,) * 6
    better = [tuple(9 if at == k else 0 for at in range(6)) for k in range(6)]
    assert max(sum(one) for one in merged(parent, better, 6)) == 54


def test_the_pool_is_of_the_best_that_differ() -> None:
    memory = Memory(tiny_problem(length=3))
    rows = torch.tensor([[1, 2, 3], [4, 2, 3], [5, 6, 3], [7, 8, 9], [7, 5, 9]])
    scores = torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    memory.add(rows, Scored(scores, scores, scores, None))
    assert memory.pool(4) == [(1, 2, 3), (5, 6, 3), (7, 8, 9)]
    assert differences((1, 2, 3), (1, 5, 4)) == 2


def test_merit_pays_for_what_is_above_the_limit() -> None:
    memory = Memory(tiny_problem(max_cross_entropy=5.0), price=2.0)
    value = torch.tensor([1.0, 4.0], dtype=torch.float64)
    memory.add(
        torch.tensor([[1], [2]]), Scored(value, value, value, torch.tensor([4.0, 7.0], dtype=torch.float64))
    )
    assert (memory.merit((1,)), memory.merit((2,))) == (1.0, 0.0)
    assert memory.within((1,))
    assert not memory.within((2,))


@pytest.mark.parametrize("gated", [False, True])
def test_screening_finds_the_best_of_a_score(gated: bool) -> None:
    """A reading of the description, or a product of two: what a gated neuron is.

    The slopes are those of the product, so its space is two directions of 64.
    """
    generator = rng()
    vectors = torch.nn.functional.normalize(torch.randn(5000, 64, generator=generator), dim=1)
    directions = torch.randn(64, 2, generator=generator)
    readings = vectors @ directions
    scores = (readings.prod(dim=1) if gated else readings[:, 0]).double()
    at = torch.randperm(5000, generator=generator)[:200]
    by_vector = readings.flip(1) @ directions.T if gated else directions[:, 0].expand(5000, -1)
    slopes = torch.nn.functional.normalize(by_vector[at[:20]], dim=1)
    chosen = torch.zeros(5000, dtype=torch.bool)
    chosen[at] = True
    described = Described(None, vectors, torch.ones(5000))
    best = predicted_best(described, slopes, at, scores[at], chosen, 25)
    rest = torch.where(chosen, -torch.inf, scores)
    assert int(rest.argmax()) in best.tolist()
    assert not bool(chosen[best].any())
    assert len(best) == 25
    if gated:  # without the space 200 rows do not show a product in 64 dimensions
        assert int(rest.argmax()) not in predicted_best(described, None, at, scores[at], chosen, 25).tolist()


def test_screening_keeps_to_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a vocabulary that counts as large; slopes are part of it. The exhaustive optimum bounds it."""
    monkeypatch.setattr(screening, "_SMALL", 10)
    problem = tiny_problem(length=1)
    outcome = run(Hybrid(share=0.5), problem, 10**6, seed=0, restarts=1)
    most = int(0.5 * len(problem.tokens.allowed.ids))
    assert most // 2 < outcome.cost.sequences_scored <= most
    everything = run(Exhaustive(), problem, 10**6)
    assert outcome.best is not None
    assert everything.best is not None
    assert outcome.best.activation <= everything.best.activation + 1e-5
    assert outcome.best.activation > 0.8 * everything.best.activation


def test_screening_ends_with_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """It spends all that is left and calls that converged; nothing is begun again on nothing."""
    monkeypatch.setattr(screening, "_SMALL", 10)
    problem = tiny_problem(length=1)
    outcome = run(Hybrid(share=0.5), problem, 30, seed=0)
    assert outcome.cost.sequences_scored == 30
    assert len(outcome.restarts) == 1
    assert outcome.cost.forward_tokens < 2 * len(problem.tokens.allowed.ids)


def test_screening_where_nothing_may_be_read_goes_by_norm() -> None:
    described = Described(None, torch.eye(4), torch.tensor([3.0, 1.0, 2.0, 0.5]))
    none = torch.full((1,), -torch.inf, dtype=torch.float64)
    chosen = torch.tensor([False, False, False, True])
    assert predicted_best(described, None, torch.tensor([3]), none, chosen, 2).tolist() == [1, 2]
