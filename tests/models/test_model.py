"""What a model says of itself."""

from __future__ import annotations

import math

import pytest
import torch
from tests.tiny import BLOCKS, FAMILY_NAMES, WIDTH, tiny_model, tiny_net, tiny_tokenizer

from actmax.models.load import wrap
from actmax.models.model import Source


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_the_embedding_is_what_the_model_gives_for_each_token(family: str) -> None:
    """Gemma's √d_model is inside, no position embedding is."""
    model = tiny_model(family)
    weight: torch.Tensor = model.net.get_input_embeddings().weight  # type: ignore[assignment]
    scale = math.sqrt(WIDTH) if family.startswith("gemma") else 1.0
    torch.testing.assert_close(model.embedding, weight * scale)
    assert not model.embedding.requires_grad
    assert (model.vocab_size, model.d_model) == (len(tiny_tokenizer()), WIDTH)
    assert model.n_blocks == (4 if family == "gpt_neo" else BLOCKS)
    assert model.context == 64


def test_an_embedding_that_is_narrower_than_the_residual_stream() -> None:
    model = tiny_model("opt", do_layer_norm_before=False, word_embed_proj_dim=16)
    assert model.d_model == 16


def test_rows_beyond_the_tokenizer_are_counted() -> None:
    model = tiny_model("llama", vocab_size=400)
    assert (model.vocab_size, len(model.tokenizer)) == (400, len(tiny_tokenizer()))


def test_wrapping_switches_training_and_gradients_off() -> None:
    net = tiny_net("gpt2")
    net.train()
    assert any(weight.requires_grad for weight in net.parameters())
    model = wrap(net, tiny_tokenizer(), "mine")
    assert not any(module.training for module in net.modules())
    assert not any(weight.requires_grad for weight in net.parameters())
    assert (model.name, model.source) == ("mine", Source("memory", "mine"))
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)
