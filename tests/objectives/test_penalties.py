"""Penalties against hand computation and against transformers' own loss."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tests.tiny import FAMILY_NAMES, tiny_ids, tiny_model

from actmax.models.read import read, read_prefix
from actmax.models.sites import EMBED, LOGITS, Site
from actmax.objectives.objective import Objective, Reading
from actmax.objectives.penalties import (
    ShellDistance,
    cross_entropy,
    nats_per_token,
    shell_distance,
    shell_radius,
    squared_norm,
    token_nats,
)


def at(*rows: list[list[float]]) -> Reading:
    return Reading({Site(EMBED): torch.tensor(list(rows))})


def test_squared_norm_by_hand() -> None:
    reading = at([[1.0, 2.0], [0.0, -3.0]], [[0.0, 0.0], [0.5, 0.0]])
    assert squared_norm()(reading).tolist() == [14.0, 0.25]


def test_shell_distance_by_hand() -> None:
    """Norms 5 and 1 from a shell of radius 2: (9 + 1) / 2."""
    for radius, rows, expected in (
        (2.0, [[3.0, 4.0], [0.0, 1.0]], [5.0]),
        (5.0, [[3.0, 4.0], [5.0, 0.0]], [0.0]),
    ):
        assert Objective(((1.0, ShellDistance(radius)),))(at(rows)).tolist() == expected


def test_the_shell_is_where_the_embeddings_are() -> None:
    model = tiny_model("llama")
    weight: Any = model.net.get_input_embeddings().weight
    radius = float(weight.double().square().sum(1).sqrt().mean())
    assert shell_radius(model) == pytest.approx(radius, rel=1e-6)
    tokens = model.embedding[tiny_ids(1)]
    expected = float((tokens.double().norm(dim=-1) - radius).square().mean())
    assert float(shell_distance(model)(Reading({Site(EMBED): tokens}))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_nats_per_token_are_the_loss_of_transformers(family: str) -> None:
    model = tiny_model(family)
    ids = tiny_ids(4, 9)
    with torch.no_grad():
        logits = read(model, [Site(LOGITS)], ids=ids)[Site(LOGITS)]
        mine = nats_per_token(logits, ids)
        theirs = torch.stack([model.net(input_ids=row[None], labels=row[None]).loss for row in ids])
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_after_a_prefix_every_token_counts() -> None:
    """-log p of each token given the prefix and what precedes it, from the whole sequence's softmax."""
    model = tiny_model("llama")
    start, rest = tiny_ids(1, 3, seed=1), tiny_ids(2, 4)
    prefix = read_prefix(model, [Site(LOGITS)], start)
    with torch.no_grad():
        acts = read(model, [Site(LOGITS)], ids=rest, prefix=prefix)
        score = cross_entropy()(Reading(acts, rest, prefix.acts))
        whole = torch.cat([start.expand(2, -1), rest], dim=1)
        logp = model.net(whole).logits.double().log_softmax(-1)
    for row in range(2):
        each = [-float(logp[row, 2 + i, rest[row, i]]) for i in range(4)]
        assert float(score[row]) == pytest.approx(sum(each) / 4, rel=1e-4)
        assert token_nats(acts[Site(LOGITS)], rest, prefix.acts[Site(LOGITS)])[row].tolist() == [
            pytest.approx(x, rel=1e-3, abs=1e-4) for x in each
        ]


def test_a_uniform_model_gives_the_logarithm_of_its_vocabulary() -> None:
    logits = torch.full((1, 5, 8), 3.0)
    assert float(nats_per_token(logits, torch.tensor([[1, 2, 3, 4, 5]]))) == pytest.approx(math.log(8))


def test_a_lone_token_without_predecessor_costs_nothing() -> None:
    assert nats_per_token(torch.randn(2, 1, 8), torch.tensor([[1], [2]])).tolist() == [0.0, 0.0]


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits = torch.zeros(1, 2, 70_000, dtype=torch.float16)  # the sum of exponentials overflows float16
    assert float(nats_per_token(logits, torch.tensor([[0, 1]]))) == pytest.approx(math.log(70_000), rel=1e-5)


def test_soft_inputs_have_no_cross_entropy() -> None:
    with pytest.raises(ValueError, match="cross-entropy needs token ids"):
        cross_entropy()(Reading({Site(LOGITS): torch.zeros(1, 2, 8)}))
