"""Hybrid: a planted phrase, starts that are never made worse, limits that are kept, and its parts alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.planted import planted_problem, tiny_problem

from actmax.search.goal import Goal
from actmax.search.meter import Budget
from actmax.search.methods.hybrid import Hybrid
from actmax.search.moves import KINDS, Child, Moves
from actmax.search.population import Memory, distance
from actmax.search.screening import promising
from actmax.search.seeds import seeds, written
from actmax.search.text_method import TextProblem
from actmax.search.text_run import run_text
from actmax.search.text_scorer import Scored, TextScorer


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("length", [3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_phrase_is_found(length: int, seed: int) -> None:
    problem, phrase = planted_problem(length=length)
    best = run_text(Hybrid(), problem, Budget(1500), seed=seed).best
    assert best is not None
    assert best.ids[-3:] == phrase


def with_starts(problem: TextProblem, n: int = 4) -> TextProblem:
    rows = problem.tokens.random(n, problem.length, rng(5))
    return dataclasses.replace(problem, starts=tuple(map(tuple, rows.tolist())))


@pytest.mark.parametrize("budget", [4, 40, 200])
def test_never_below_the_best_start(budget: int) -> None:
    problem = with_starts(tiny_problem())
    start = float(TextScorer(problem).ids(torch.tensor(problem.starts)).scores.max())
    best = run_text(Hybrid(), problem, Budget(budget)).best
    assert best is not None
    assert best.score >= start - 1e-4  # (alone and in a batch differ by rounding)


def test_more_than_random_at_the_same_budget() -> None:
    problem = tiny_problem(length=6)
    scorer = TextScorer(problem, Budget(300))
    random = float(scorer.ids(problem.tokens.random(300, 6, rng())).scores.max())
    best = run_text(Hybrid(), problem, Budget(300)).best
    assert best is not None
    assert best.score > random


def test_a_limit_between_what_is_probable_and_what_is_active_is_kept() -> None:
    free = tiny_problem(length=4)
    rows = free.tokens.random(64, 4, rng())
    nats = TextScorer(free).ids(rows, nats=True).nats
    assert nats is not None
    limit = float(nats.quantile(0.3))
    problem = dataclasses.replace(free, goal=dataclasses.replace(free.goal, max_nats=limit))
    outcome = run_text(Hybrid(), problem, Budget(300))
    assert outcome.best is not None
    assert all(one.nats <= limit for one in outcome.solutions)


def test_an_island_is_begun_where_the_population_has_converged() -> None:
    problem = tiny_problem(length=2)
    outcome = run_text(Hybrid(patience=1, batch=4), problem, Budget(400), restarts=1)
    again = run_text(Hybrid(patience=1, batch=4), problem, Budget(400), restarts=1)
    assert outcome.cost.sequences_scored <= 400
    assert [one.ids for one in outcome.solutions] == [one.ids for one in again.solutions]


def test_starts_are_cut_filled_and_masked() -> None:
    problem = tiny_problem(length=3)
    good = problem.allowed.ids[:5].tolist()
    bad = int((~problem.allowed.mask).nonzero()[0])
    problem = dataclasses.replace(problem, starts=(tuple(good), (good[4],), (bad, good[0], good[1])))
    rows = seeds(problem, rng()).tolist()
    assert rows[0] == good[2:]
    assert rows[1][2:] == [good[4]]
    assert len(rows) == 2


def test_written_text_is_allowed_and_of_the_length() -> None:
    problem = tiny_problem(length=4)
    scorer = TextScorer(problem)
    rows = written(scorer, problem, rng())
    assert rows.shape[1] == 4
    assert bool(problem.tokens.keep(rows).all())
    assert scorer.cost.sequences_scored == 0
    assert scorer.cost.forward_tokens > 0


row = st.lists(st.integers(0, 9), min_size=4, max_size=4).map(tuple)


@settings(max_examples=60)
@given(parent=row, pool=st.lists(row, min_size=1, max_size=3), seed=st.integers(0, 999))
def test_moves_keep_the_length_and_use_known_tokens(
    parent: tuple[int, ...], pool: list[tuple[int, ...]], seed: int
) -> None:
    tokens = torch.arange(100, 120).reshape(4, 5)
    moves = Moves(4)
    known = {*parent, *(token for other in pool for token in other), *tokens.flatten().tolist()}
    children = [moves.child(parent, tokens, pool, rng(seed)) for _ in range(4)]
    for child in children:
        assert len(child.row) == 4
        assert set(child.row) <= known
        assert child.kind in KINDS
    moves.learn(parent, children, [False] * 4)
    assert 1 <= moves.radius <= 6


def test_what_pays_is_drawn_more_often() -> None:
    moves = Moves(3)
    good, bad = Child((9, 2, 3), "substitute", 1), Child((2, 1, 3), "swap", 0)
    for _ in range(30):
        moves.learn((1, 2, 3), [good, bad], [True, False])
    drawn = [moves.child((1, 2, 3), torch.zeros(3, 2).long(), [(1, 2, 3)], rng(s)).kind for s in range(60)]
    assert drawn.count("substitute") > 2 * drawn.count("swap")
    assert moves.places[0] > moves.places[2]
    assert moves.radius < 1.5


def test_the_pool_is_of_the_best_that_differ() -> None:
    memory = Memory(tiny_problem(length=3).goal)
    rows = torch.tensor([[1, 2, 3], [4, 2, 3], [5, 6, 3], [7, 8, 9], [7, 5, 9]])
    scores = torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    memory.add(rows, Scored(scores, scores, None))
    assert memory.pool(4) == [(1, 2, 3), (5, 6, 3), (7, 8, 9)]
    assert distance((1, 2, 3), (1, 5, 4)) == 2


def test_merit_pays_for_what_is_above_the_limit() -> None:
    goal: Goal = dataclasses.replace(tiny_problem().goal, max_nats=5.0)
    memory = Memory(goal, price=2.0)
    value = torch.tensor([1.0, 4.0], dtype=torch.float64)
    memory.add(torch.tensor([[1], [2]]), Scored(value, value, torch.tensor([4.0, 7.0], dtype=torch.float64)))
    assert (memory.merit((1,)), memory.merit((2,))) == (1.0, 0.0)
    assert memory.within((1,))
    assert not memory.within((2,))


def test_screening_finds_the_best_of_a_linear_score() -> None:
    generator = rng()
    described = torch.nn.functional.normalize(torch.randn(5000, 16, generator=generator), dim=1)
    scores = (described @ torch.randn(16, generator=generator)).double()
    at = torch.randperm(5000, generator=generator)[:100]
    chosen = torch.zeros(5000, dtype=torch.bool)
    chosen[at] = True
    best = promising(described, at, scores[at], chosen, 100)
    rest = torch.where(chosen, -torch.inf, scores)
    assert int(rest.argmax()) in best.tolist()
    assert not bool(chosen[best].any())
    assert len(best) == 100
