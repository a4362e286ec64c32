"""Substitutions that have lost: on which rows they are left out, and that hybrid does leave them out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.search.planted import tiny_problem
from torch import Tensor

from actmax.search.answers import Proposals, Scored
from actmax.search.hybrid.losses import Losses
from actmax.search.hybrid.population import Memory, differences
from actmax.search.methods.hybrid import Hybrid
from actmax.search.scorer import Scorer

EARLY, DEEP = "blocks.0.mlp.hook_post:3", "blocks.1.hook_resid_post:3"
row = st.lists(st.integers(0, 3), min_size=5, max_size=5).map(tuple)


def test_a_loss_holds_on_near_rows_and_for_that_change_alone() -> None:
    losses = Losses(near=2)
    losses.add((1, 1, 1, 1, 1), (9, 1, 1, 1, 1))
    assert losses.expect((1, 1, 1, 1, 1), (9, 1, 1, 1, 1))
    assert losses.expect((5, 1, 1, 2, 2), (9, 1, 1, 2, 2))  # what stood there before does not matter
    assert not losses.expect((1, 1, 2, 2, 2), (9, 1, 2, 2, 2))  # too far
    assert not losses.expect((1, 1, 1, 1, 1), (8, 1, 1, 1, 1))
    assert not losses.expect((1, 1, 1, 1, 1), (1, 9, 1, 1, 1))
    assert not losses.expect((1, 1, 1, 1, 1), (9, 1, 1, 1, 2))  # more than that change


def test_children_of_several_changes_teach_nothing() -> None:
    losses = Losses(near=5)
    losses.add((1, 1, 1), (2, 2, 1))
    assert not losses.expect((1, 1, 1), (2, 1, 1))
    assert not losses.expect((1, 1, 1), (1, 2, 1))


@given(had=row, parent=row, at=st.integers(0, 4), token=st.integers(4, 5), near=st.integers(0, 4))
def test_by_the_distance_of_the_other_positions(
    had: tuple[int, ...], parent: tuple[int, ...], at: int, token: int, near: int
) -> None:
    losses = Losses(near)
    losses.add(had, (*had[:at], token, *had[at + 1 :]))
    others = differences((*had[:at], 0, *had[at + 1 :]), (*parent[:at], 0, *parent[at + 1 :]))
    assert losses.expect(parent, (*parent[:at], token, *parent[at + 1 :])) == (others <= near)


def test_hybrid_leaves_them_out() -> None:
    problem = tiny_problem(length=4)
    tokens = problem.tokens.allowed.ids[:20].repeat(4, 1)
    parent = tuple(problem.tokens.allowed.ids[30:34].tolist())
    memory = Memory(problem)
    zero = torch.zeros(1).double()
    memory.add(torch.tensor([parent]), Scored(zero, zero, zero, None))
    known = Losses(near=3)
    for token in tokens[2].tolist():
        known.add(parent, (*parent[:2], token, parent[3]))

    def changed(losses: Losses) -> set[int]:
        rng = torch.Generator().manual_seed(0)
        method = Hybrid(batch=12, radius=1.0)
        (children,) = method._children(problem, memory, losses, {parent: tokens}, [parent], rng)
        assert len(children) == 12
        return {at for child in children for at in range(4) if child[at] != parent[at]}

    assert changed(Losses(near=3)) == {0, 1, 2, 3}
    assert changed(known) == {0, 1, 3}


@pytest.mark.parametrize(("unit", "greedy"), [(EARLY, True), (DEEP, False)])
def test_late_parents_of_an_early_unit_are_the_best_of_the_pool(unit: str, greedy: bool) -> None:
    problem = tiny_problem(length=6, unit=unit)
    asked: list[tuple[int, ...]] = []

    class Watched(Scorer):
        def proposals(self, ids: Tensor, k: int, **named: Any) -> Proposals:
            asked.extend(map(tuple, ids.tolist()))
            return super().proposals(ids, k, **named)

    scorer = Watched(problem, 400)
    steps = Hybrid(parents=2, batch=6, polish=1.0).search(scorer, problem, torch.Generator().manual_seed(0))
    best = []
    for _, step in zip(range(12), steps, strict=False):
        if asked:
            best.append(set(asked) <= set(step.rows[:2]))
        asked.clear()
    assert len(best) > 1
    assert all(best) == greedy
