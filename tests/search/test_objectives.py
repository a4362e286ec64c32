"""Every method takes every objective: weighted units, directions, penalties and several ways of reading."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.search.planted import tiny_problem
from tests.tiny import WIDTH

from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import activation
from actmax.objectives.objective import Objective
from actmax.objectives.penalties import cross_entropy, squared_norm
from actmax.objectives.reading import ReadingRule
from actmax.search.problem import Problem, Row
from actmax.search.registry import method_class, token_methods
from actmax.search.run import run
from actmax.search.scorer import Scorer

RULE = ReadingRule()


def mixed(problem: Problem, direction: Unit) -> Objective:
    """Two units read in different ways, a direction, and two penalties."""
    other = resolve(problem.model, "blocks.0.mlp.hook_post:5")
    objective = -2 * activation(problem.unit, "last", also=[(0.5, other)], rule=RULE)
    objective = (
        objective + 0.7 * activation(other, "max", rule=RULE) - 0.3 * activation(direction, 1, rule=RULE)
    )
    return objective - 0.05 * squared_norm() - 0.2 * cross_entropy()


@pytest.fixture(scope="module")
def direction(tmp_path_factory: pytest.TempPathFactory) -> Unit:
    file: Path = tmp_path_factory.mktemp("directions") / "d.safetensors"
    save_file({"d": torch.randn(WIDTH, generator=torch.Generator().manual_seed(1))}, file)
    return resolve(tiny_problem().model, f"hidden_states.1:@{file}")


def by_hand(problem: Problem, row: Row, direction: Unit) -> float:
    """The same objective from transformers' own forward pass."""
    model, before = problem.model, problem.frame.before
    ids = torch.tensor([[*before, *row]])
    seen: list[torch.Tensor] = []
    down = model.net.get_submodule("model.layers.0.mlp.down_proj")
    handle = down.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad():
        output = model.net(input_ids=ids, output_hidden_states=True)
    handle.remove()
    start = len(before)
    mine = output.hidden_states[2][0, start:, problem.unit.index]
    neuron = seen[0][0, start:, 5]
    assert direction.direction is not None
    value = -2 * (mine[-1] + 0.5 * neuron[-1]) + 0.7 * neuron.max()
    value -= 0.3 * (output.hidden_states[1][0, start + 1] @ direction.direction)
    value -= 0.05 * model.embedding[torch.tensor(row)].square().sum()
    logps = output.logits[0, start - 1 : -1].log_softmax(-1).gather(1, torch.tensor(row)[:, None])
    return float(value + 0.2 * logps.mean())


@pytest.mark.parametrize("name", [name for name in token_methods() if name != "exhaustive"])
def test_a_mixed_objective_is_what_is_maximised(name: str, direction: Unit) -> None:
    plain = tiny_problem(length=4)
    problem = dataclasses.replace(plain, objective=mixed(plain, direction))
    outcome = run(method_class(name)(), problem, 60)
    assert outcome.best is not None
    expected = by_hand(problem, outcome.best.ids, direction)
    assert outcome.best.score == pytest.approx(expected, rel=1e-3, abs=1e-3)
    rows = torch.tensor([one.ids for one in outcome.solutions])
    again = Scorer(problem).ids(rows).scores
    assert again.tolist() == pytest.approx([one.score for one in outcome.solutions], rel=1e-4, abs=1e-4)


def test_exhaustive_finds_the_best_token_of_a_mixed_objective() -> None:
    plain = tiny_problem(length=1)
    other = resolve(plain.model, "blocks.0.mlp.hook_post:5")
    objective = plain.objective - 0.5 * activation(other, "last", rule=RULE) - 0.1 * cross_entropy()
    problem = dataclasses.replace(plain, objective=objective)
    found = run(method_class("exhaustive")(), problem).best
    scores = Scorer(problem).ids(problem.tokens.allowed.ids[:, None]).scores
    assert found is not None
    assert found.score == pytest.approx(float(scores.max()), rel=1e-4)


def test_what_is_shared_changes_no_term(direction: Unit) -> None:
    """Continued from a parent's keys and values, a row has the score that it has by itself."""
    plain = tiny_problem(length=5, suffix=" cat")
    problem = dataclasses.replace(plain, objective=mixed(plain, direction))
    parent = problem.tokens.random(1, 5, torch.Generator().manual_seed(0))
    rows = parent.repeat(40, 1)
    rows[torch.arange(40), torch.arange(40) % 5] = problem.tokens.allowed.ids[:40]
    alone, shared = Scorer(problem).ids(rows).scores, Scorer(problem).ids(rows, base=parent).scores
    torch.testing.assert_close(shared, alone, rtol=1e-4, atol=1e-4)


def test_the_gradient_is_the_finite_difference(direction: Unit) -> None:
    plain = tiny_problem(length=4)
    objective = mixed(plain, direction)
    without = Objective(tuple(pair for pair in objective.terms if pair[1] != cross_entropy().first))
    problem = dataclasses.replace(plain, objective=without)
    rows = problem.tokens.random(2, 4, torch.Generator().manual_seed(1))
    embeds = problem.model.embedding[rows]
    slope = Scorer(problem).vectors(embeds).embeds
    step = torch.randn(embeds.shape, generator=torch.Generator().manual_seed(2))
    up, down = (Scorer(problem).vectors(embeds + sign * 1e-3 * step).scored.scores for sign in (1, -1))
    expected = (slope * step).sum(dim=(1, 2))
    torch.testing.assert_close(((up - down) / 2e-3).float(), expected, rtol=2e-2, atol=2e-2)
