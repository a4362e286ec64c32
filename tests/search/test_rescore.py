"""The truth about tokens, against transformers run by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tests.tiny import tiny_ids, tiny_model, tiny_tokenizer

from actmax.models.read import read_prefix
from actmax.models.sites import resolve
from actmax.objectives.activation import Activation, Positions, reduce
from actmax.search.rescore import activation_of, cross_entropy_of, random_token_activations, rescore

MODEL = tiny_model("gpt2")
UNIT = resolve(MODEL, "hidden_states.2:11")
TERM = Activation(UNIT)
BOS = 0


def by_hand(ids: list[int], positions: Positions = "mean") -> float:
    with torch.no_grad():
        hidden = MODEL.net(torch.tensor([ids]), output_hidden_states=True).hidden_states[2]
    return float(reduce(hidden[..., 11], positions)[0])


@pytest.mark.parametrize("positions", ["mean", "last", "max"])
def test_activations_are_those_of_transformers(positions: Positions) -> None:
    ids = tiny_tokenizer().encode(" the cat sat on")
    told = rescore(MODEL, Activation(UNIT, positions), ids)
    assert told.activation_of_ids == pytest.approx(by_hand(ids, positions), rel=1e-5)
    assert told.tokens == [" the", " cat", " sat", " on"]
    assert told.text == " the cat sat on"
    embeds = MODEL.embedding[torch.tensor([ids])]
    assert activation_of(MODEL, Activation(UNIT, positions), embeds=embeds) == pytest.approx(
        told.activation_of_ids, rel=1e-5
    )


def test_a_text_that_gives_its_ids_again() -> None:
    ids = tiny_tokenizer().encode(" the cat sat on")
    told = rescore(MODEL, TERM, ids)
    assert told.retokenizes
    assert told.activation_of_text == told.activation_of_ids


def test_a_text_that_gives_other_ids() -> None:
    """The same text in more tokens than the tokenizer would use."""
    tokenizer = tiny_tokenizer()
    ids = [i for letter in " the cat" for i in tokenizer.encode(letter)]
    again = tokenizer.encode(" the cat")
    assert len(again) < len(ids)
    told = rescore(MODEL, TERM, ids)
    assert told.text == " the cat"
    assert not told.retokenizes
    assert told.activation_of_ids == pytest.approx(by_hand(ids), rel=1e-5)
    assert told.activation_of_text == pytest.approx(by_hand(again), rel=1e-5)
    assert told.cross_entropy == pytest.approx(cross_entropy_of(MODEL, again))


def test_half_of_a_character_is_no_text_of_its_own() -> None:
    tokenizer = tiny_tokenizer()
    first = tokenizer.encode("é")[:1]
    assert not rescore(MODEL, TERM, first).retokenizes


def test_after_a_prefix() -> None:
    ids = tiny_tokenizer().encode(" the cat")
    prefix = read_prefix(MODEL, [UNIT.site], torch.tensor([[BOS]]))
    with torch.no_grad():
        hidden = MODEL.net(torch.tensor([[BOS, *ids]]), output_hidden_states=True).hidden_states[2]
    expected = float(hidden[0, 1:, 11].mean())
    assert rescore(MODEL, TERM, ids, prefix).activation_of_ids == pytest.approx(expected, rel=1e-4)


def test_cross_entropy_is_transformers_loss_after_bos() -> None:
    ids = tiny_tokenizer().encode(" the cat sat on")
    whole = torch.tensor([[BOS, *ids]])
    with torch.no_grad():
        loss = float(MODEL.net(input_ids=whole, labels=whole).loss)
    assert cross_entropy_of(MODEL, ids) == pytest.approx(loss, rel=1e-5)
    assert cross_entropy_of(MODEL, [BOS, *ids]) == pytest.approx(loss, rel=1e-5), "BOS is not added twice"
    assert math.isfinite(cross_entropy_of(MODEL, ids[:1]))


def test_the_random_control_is_deterministic_and_sorted() -> None:
    one, two = (random_token_activations(MODEL, TERM, 4, n=150, seed=3) for _ in range(2))
    assert torch.equal(one, two)
    assert one.shape == (150,)
    assert torch.equal(one, one.sort().values)
    assert not torch.equal(one, random_token_activations(MODEL, TERM, 4, n=150, seed=4))


def test_the_random_control_draws_every_ordinary_token_and_no_special_one() -> None:
    """A dimension of the embedding of one token each tells which tokens were drawn."""
    tokenizer = tiny_tokenizer()
    for model in (MODEL, tiny_model("gpt2", vocab_size=400)):  # rows beyond the tokenizer are no tokens
        weight: Any = model.net.get_input_embeddings().weight
        weight.data[:, 0] = torch.arange(len(weight), dtype=torch.float32)
        model.__dict__.pop("embedding", None)
        unit = resolve(model, "hook_embed:0")
        drawn = set(random_token_activations(model, Activation(unit), 1, n=6000).tolist())
        assert drawn == set(range(len(tokenizer))) - set(tokenizer.all_special_ids)


def test_the_control_equals_its_sequences_solution_of() -> None:
    """Over the batches of the control: the mean over all equals that of singles of the same length."""
    ids = tiny_ids(5, 4)
    alone = [by_hand(row.tolist()) for row in ids]
    batch = [activation_of(MODEL, TERM, ids=row.tolist()) for row in ids]
    assert batch == pytest.approx(alone, rel=1e-5)
