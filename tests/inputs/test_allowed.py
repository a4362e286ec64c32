"""The vocabulary mask: each reason on a tokenizer and an embedding matrix where it is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.tiny import tiny_model, tiny_net, tiny_tokenizer

from actmax.api.load import load
from actmax.errors import ActmaxError
from actmax.inputs.allowed import BEYOND, BYTES, GLITCH, REASONS, SPECIAL, UNREACHABLE, allowed_tokens
from actmax.models.load import wrap


def test_special_tokens_and_fragments_are_left_out() -> None:
    model = tiny_model()
    mask = allowed_tokens(model)
    assert not mask.mask[:3].any()
    assert mask.left_out[SPECIAL] == 3
    for token in mask.ids.tolist():
        text = str(model.tokenizer.decode([token]))
        text.encode("utf-8")
        assert "\ufffd" not in text
        assert model.tokenizer.encode(text, add_special_tokens=False) == [token]
    assert mask.left_out[BYTES] == 128
    assert int(mask.mask.sum()) + sum(mask.left_out.values()) == model.vocab_size
    assert mask.to_json()["left_out"] == dict(mask.left_out)
    assert set(mask.left_out) == set(REASONS)


def test_rows_beyond_the_tokenizer_are_never_allowed() -> None:
    size = len(tiny_tokenizer())
    model = wrap(tiny_net("llama", vocab_size=size + 9), tiny_tokenizer())
    for keep in ((), REASONS):
        mask = allowed_tokens(model, keep=keep)
        assert mask.left_out[BEYOND] == 9
        assert not mask.mask[size:].any()


def test_keeping_a_reason_lets_its_tokens_in() -> None:
    model = tiny_model()
    mask = allowed_tokens(model, keep=(SPECIAL,))
    assert mask.mask[:3].all()
    assert mask.left_out[SPECIAL] == 0
    with pytest.raises(ActmaxError, match="not a reason to mask"):
        allowed_tokens(model, keep=("ugly",))


def test_a_clump_of_untouched_rows_is_found() -> None:
    net = tiny_net("llama", hidden_size=64, head_dim=16)
    ordinary = tiny_tokenizer().encode("the cat", add_special_tokens=False)
    with torch.no_grad():
        weight: Any = net.get_input_embeddings().weight
        untouched = torch.randn(64, generator=torch.Generator().manual_seed(0)) * 0.5
        for row in (1, 2, 130, 131, ordinary[0]):  # specials, others, and a word
            weight[row] = untouched
    model = wrap(net, tiny_tokenizer())
    mask = allowed_tokens(model)
    assert not mask.mask[ordinary[0]]
    assert mask.mask[ordinary[1]]
    assert mask.left_out[GLITCH] >= 1
    assert allowed_tokens(model, keep=(GLITCH,)).mask[ordinary[0]]
    assert allowed_tokens(tiny_model()).left_out[GLITCH] == 0


@pytest.mark.real
def test_the_default_models_mask() -> None:
    model = load()
    mask = allowed_tokens(model)
    assert mask.left_out[SPECIAL] == 17
    assert mask.left_out[BYTES] + mask.left_out[UNREACHABLE] >= 313
    out = {model.tokenizer.convert_ids_to_tokens(i) for i in (~mask.mask).nonzero().flatten().tolist()}
    assert {"PlaneProtection", "swigfaiss", "kinesisfirehose"} <= out
    assert not out & {"They", "7", "firstsum", "Ġfour"}  # near twins that were trained
