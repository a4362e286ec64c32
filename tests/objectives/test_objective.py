"""The algebra of objectives, and that a row's score is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny import tiny_ids, tiny_model
from torch import Tensor

from actmax.inputs.soft import VectorSpace
from actmax.models.read import read
from actmax.models.sites import EMBED, LOGITS, Site, resolve
from actmax.objectives.activation import Positions, activation
from actmax.objectives.objective import Objective, Reading, Term
from actmax.objectives.penalties import cross_entropy, shell_distance, squared_norm
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer

MODEL = tiny_model("llama")


@dataclass(frozen=True)
class Known:
    """A term whose scores are given."""

    scores: tuple[float, ...]
    site: str = EMBED

    @property
    def needs(self) -> frozenset[Site]:
        return frozenset({Site(self.site)})

    def values(self, reading: Reading) -> Tensor:
        return torch.tensor(self.scores, dtype=torch.float64)[:, None]

    def readable(self, reading: Reading) -> None:
        return None

    def reduce(self, values: Tensor, readable: Tensor | None, *, anyway: bool = False) -> Tensor:
        return values[:, 0]

    def __str__(self) -> str:
        return f"t{self.scores[0]:g}"


numbers = st.integers(-100_000, 100_000).map(lambda n: n / 1000)
leaves = st.tuples(*[numbers] * 3)
Tree = Any


def grow(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    pairs = st.tuples(st.sampled_from("+-"), inner, inner)
    return pairs | st.tuples(st.just("neg"), inner) | st.tuples(st.sampled_from(["*", "r*"]), inner, numbers)


def build(tree: Tree) -> tuple[Objective, list[float]]:
    """The objective of an expression, and its scores by plain arithmetic."""
    if isinstance(tree[0], float):
        return Objective(((1.0, Known(tree)),)), list(tree)
    sign, (objective, scores) = tree[0], build(tree[1])
    if sign == "neg":
        return -objective, [-x for x in scores]
    if sign in ("*", "r*"):
        w = tree[2]
        return (objective * w if sign == "*" else w * objective), [w * x for x in scores]
    other, more = build(tree[2])
    if sign == "+":
        return objective + other, [x + y for x, y in zip(scores, more, strict=True)]
    return objective - other, [x - y for x, y in zip(scores, more, strict=True)]


@given(st.recursive(leaves, grow, max_leaves=8))
def test_any_expression_is_its_arithmetic(tree: Tree) -> None:
    objective, expected = build(tree)
    scale = 1 + sum(abs(weight) * 100 for weight, _ in objective.terms)
    assert objective(Reading({})).tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale)


def test_terms_and_needs_add_up() -> None:
    a = Objective(((1.0, Known((1.0,), "a")),))
    b = Objective(((2.0, Known((2.0,), "b")),))
    both = a - 3 * b
    assert both.needs == {Site("a"), Site("b")}
    assert [weight for weight, _ in both.terms] == [1.0, -6.0]
    assert a.terms == ((1.0, Known((1.0,), "a")),), "operators change nothing in place"


def test_objectives_say_what_they_are() -> None:
    unit = resolve(MODEL, "hidden_states.2:3")
    assert str(activation(unit) - 0.01 * squared_norm()) == "mean(hidden_states.2:3) - 0.01 · Σθ²"
    assert str(-activation(unit, "max")) == "- max(hidden_states.2:3)"
    assert str(2 * activation(unit) + cross_entropy()) == "2 · mean(hidden_states.2:3) + nats per token"
    assert isinstance(activation(unit).terms[0][1], Term)


OBJECTIVES: dict[str, Callable[[Positions], Objective]] = {
    "unit": lambda p: activation(resolve(MODEL, "blocks.1.mlp.hook_post:5"), p),
    "head": lambda p: activation(resolve(MODEL, "blocks.2.attn.hook_q.1:2"), p),
    "logit": lambda p: activation(resolve(MODEL, "unembed.hook_logits:9"), p),
    "sum": lambda p: (
        activation(resolve(MODEL, "hidden_states.2:3"), p)
        - 0.5 * activation(resolve(MODEL, "hook_embed:1"), p)
        - 0.01 * squared_norm()
        - 0.2 * shell_distance(MODEL)
    ),
}


@pytest.mark.parametrize("positions", ["mean", "last", "max"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_row_of_a_batch_equals_the_row_alone(name: str, positions: Positions) -> None:
    objective = OBJECTIVES[name](positions)
    embeds = torch.randn(9, 5, MODEL.d_model, generator=torch.Generator().manual_seed(3))
    scorer = Scorer(Problem(objective, VectorSpace(MODEL, embeds)))
    batch = scorer.vectors(embeds)
    for k, row in enumerate(embeds):
        alone = scorer.vectors(row[None])
        torch.testing.assert_close(batch.scored.scores[k], alone.scored.scores[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(batch.embeds[k], alone.embeds[0], rtol=1e-3, atol=1e-5)


def test_a_batch_of_texts_equals_each_text_alone() -> None:
    ids = tiny_ids(6)
    objective = cross_entropy() + activation(resolve(MODEL, "hidden_states.2:3"))

    def scores(rows: Tensor) -> Tensor:
        with torch.no_grad():
            return objective(Reading(read(MODEL, objective.needs, ids=rows), rows))

    torch.testing.assert_close(
        scores(ids), torch.cat([scores(row[None]) for row in ids]), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("positions", ["mean", "last", "max"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_equal_finite_differences(name: str, positions: Positions) -> None:
    """In float64, along random directions: (f(x+hv) - f(x-hv)) / 2h. (Llama's norms compute in float32.)"""
    model = tiny_model("gpt2", seed=1)
    model.net.double()
    objective = OBJECTIVES[name](positions)
    generator = torch.Generator().manual_seed(5)
    shape = (3, 4, model.d_model)
    embeds = torch.randn(shape, generator=generator, dtype=torch.float64)
    slope = Scorer(Problem(objective, VectorSpace(model, embeds))).vectors(embeds).embeds
    h = 1e-5
    for _ in range(5):
        v = torch.randn(shape, generator=generator, dtype=torch.float64)
        up, down = (_soft(model, objective, embeds + s * h * v) for s in (1, -1))
        expected = (slope * v).sum(dim=(1, 2))
        torch.testing.assert_close((up - down) / (2 * h), expected, rtol=1e-5, atol=1e-6)


def _soft(model: object, objective: Objective, embeds: Tensor) -> Tensor:
    with torch.no_grad():
        return objective(Reading(read(model, objective.needs, embeds=embeds)))  # type: ignore[arg-type]


def test_only_the_cross_entropy_needs_logits() -> None:
    assert cross_entropy().needs == {Site(LOGITS)}
    assert Site(LOGITS) not in OBJECTIVES["sum"]("mean").needs
    assert Site(LOGITS) in (OBJECTIVES["sum"]("mean") - cross_entropy()).needs
