"""The best and the frontier against brute force, and solutions that differ."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.planted import tiny_problem

from actmax.search.archive import Archive
from actmax.search.diversity import distance, diverse
from actmax.search.run import pareto
from actmax.search.solution import Solution

Points = list[tuple[int, int]]
POINTS = st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 5)), min_size=1, max_size=30)


def beaten(points: Points, sign: int) -> set[tuple[int, int]]:
    """Those that no other point beats in both, by definition."""

    def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return a != b and sign * a[0] >= sign * b[0] and a[1] <= b[1]

    return {b for b in points if not any(beats(a, b) for a in points)}


@settings(max_examples=40)
@given(points=POINTS, minimize=st.booleans(), split=st.integers(1, 7))
def test_frontier_and_best_are_those_of_brute_force(points: Points, minimize: bool, split: int) -> None:
    problem = tiny_problem(length=2, reachable=False, minimize=minimize)
    allowed = problem.tokens.allowed.ids
    ids = torch.stack([allowed[: len(points)], allowed[-len(points) :]], dim=1)
    activation, nats = (torch.tensor(column).double() for column in zip(*points, strict=True))
    archive = Archive(problem, most=5)
    for at in torch.arange(len(points)).split(split):
        scores = problem.score(problem.gain(activation[at], None), None)
        archive.offer(ids[at], scores, activation[at], nats[at], int(at[0]))
    sign = -1 if minimize else 1
    assert {(int(one.activation), int(one.nats or 0)) for one in archive.frontier} == beaten(points, sign)
    top = sorted((sign * a for a, _ in points), reverse=True)[:5]
    assert [one.score for one in archive.found] == top
    assert [one.score for one in archive.curve] == sorted({one.score for one in archive.curve})
    assert archive.best is not None
    assert archive.best.score == top[0]
    assert all(points[one.at - 1][0] == one.activation for one in archive.found)
    alone = [Solution((i,), sign * a, float(a), float(n), 0) for i, (a, n) in enumerate(points)]
    assert {(int(one.activation), int(one.nats)) for one in pareto(problem, alone)} == beaten(points, sign)


def test_only_what_may_be_given_is_kept() -> None:
    problem = tiny_problem(length=2)
    letters = [problem.model.tokenizer.encode(letter, add_special_tokens=False)[0] for letter in "thecasn"]
    ids = torch.tensor([[a, b] for a in letters for b in letters])  # some of these pairs are one token
    good = problem.tokens.keep(ids)
    assert 0 < int(good.sum()) < len(ids)
    archive = Archive(problem)
    scores = torch.where(good, 0.0, 1.0).double()
    archive.offer(ids, scores, scores, None, 0)
    assert archive.best is not None
    assert archive.best.score == 0
    archive.offer(ids[good][:, :1], scores[good] + 2, scores[good], None, 0)  # too short
    assert archive.best.score == 0


def solution(score: float, *ids: int) -> Solution:
    return Solution(ids, score, score, 0.0, 0)


def test_distance_is_about_content() -> None:
    model = tiny_problem().model
    assert abs(distance(model, (10, 20, 30), (30, 10, 20))) < 1e-5
    assert abs(distance(model, (10, 20), (20, 10, 20))) < 1e-5
    assert distance(model, (10, 20, 30), (40, 50, 60)) > 0.3
    assert abs(distance(model, (10, 20), (50, 60)) - distance(model, (50, 60), (10, 20))) < 1e-6


def test_diverse_solutions_are_apart_and_the_best_ones_that_are() -> None:
    model = tiny_problem().model
    found = [
        solution(5, 10, 20),
        solution(4, 20, 10),
        solution(3, 50, 60),
        solution(2, 60, 50),
        solution(1, 80, 90),
    ]
    chosen = diverse(model, found, 3, apart=0.2)
    assert [one.score for one in chosen] == [5, 3, 1]
    assert diverse(model, found, 2, apart=0.2) == chosen[:2]
    assert diverse(model, found, 9, apart=1.9) == chosen[:1]
