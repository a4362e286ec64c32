"""The default model, really fetched and converted: what is known of it must be found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from actmax.api.load import load
from actmax.assets.asset import fetch_asset
from actmax.assets.known import SMOLLM2
from actmax.cache import sha256_of
from actmax.models.default import default_is_ready, default_model_dir
from actmax.models.gguf_file import record_of
from actmax.models.model import Model

pytestmark = pytest.mark.real

PROSE = """The tower (built 1887, 330 metres) isn't far;  we'll see it: naïve café, 東京, 😀!
\tdef f(x): return x  # tabs, and   spaces
<|im_start|>user"""


@pytest.fixture(scope="module")
def model() -> Model:
    return load(device="cpu")


def test_it_knows_the_capital_of_france(model: Model) -> None:
    ids = model.tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        best = model.net(ids).logits[0, -1].argmax()
    assert model.tokenizer.decode(best) == " Paris"


def test_its_shape_and_source(model: Model) -> None:
    assert (model.name, model.source.kind) == ("smollm2-135m", "default")
    assert model.source.sha256 == SMOLLM2.member_sha256
    assert (model.n_blocks, model.d_model, model.vocab_size, model.context) == (30, 576, 49_152, 8_192)
    assert model.dtype == torch.float32
    assert model.net.get_input_embeddings().weight is model.net.get_output_embeddings().weight
    assert not model.net.training
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


def test_its_tokenizer(model: Model) -> None:
    tokenizer: Any = model.tokenizer
    assert tokenizer.bos_token_id == 1
    assert tokenizer.convert_ids_to_tokens(1) == "<|im_start|>"
    assert tokenizer("The")["input_ids"] == [504], "no BOS is prepended"
    assert len(tokenizer) == 49_152
    assert len(tokenizer.get_added_vocab()) == 17
    partial = [i for i in range(len(tokenizer)) if "\ufffd" in tokenizer.decode([i])]
    literal = [i for i in partial if tokenizer("\ufffd")["input_ids"] == [i]]
    assert len(literal) == 1, "one token is the replacement character itself"
    assert len(partial) - len(literal) == 313, "ids that are not valid UTF-8 alone"
    assert tokenizer.decode(tokenizer(PROSE)["input_ids"]) == PROSE
    assert [tokenizer.decode([i]) for i in tokenizer("in 1887")["input_ids"]] == [
        "in",
        " ",
        "1",
        "8",
        "8",
        "7",
    ]


def test_the_cached_copy_is_what_its_manifest_says() -> None:
    folder = default_model_dir()
    record = record_of(folder)
    assert default_is_ready()
    assert record is not None
    assert record.gguf_sha256 == SMOLLM2.member_sha256
    assert record.weights_sha256 == sha256_of(folder / "model.safetensors")
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is True


def test_weights_and_config_are_what_transformers_reads_from_the_same_file() -> None:
    """Bit for bit, by transformers' own GGUF reader (the part of it that needs no accelerate)."""
    reader = pytest.importorskip(
        "transformers.modeling_gguf_pytorch_utils", reason="this transformers reads GGUF in another way"
    )
    gguf = fetch_asset(SMOLLM2)
    stated = reader.load_gguf_checkpoint(str(gguf))["config"]
    config = AutoConfig.for_model(**stated)
    ours = AutoConfig.from_pretrained(default_model_dir())
    for name in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "rms_norm_eps"):
        assert getattr(ours, name) == getattr(config, name), name
    for name in (
        "rope_parameters",
        "max_position_embeddings",
        "tie_word_embeddings",
        "hidden_act",
        "vocab_size",
    ):
        assert getattr(ours, name) == getattr(config, name), name
    with torch.device("meta"):
        frame = AutoModelForCausalLM.from_config(config)
    theirs = reader.load_gguf_checkpoint(str(gguf), return_tensors=True, model_to_load=frame)["tensors"]
    cached = load_file(default_model_dir() / "model.safetensors")
    assert cached.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(cached[name], value), name


def test_the_tokenizer_is_what_transformers_builds_from_the_same_file(model: Model) -> None:
    """Vocabulary, special tokens, and ids of text in many scripts."""
    gguf = fetch_asset(SMOLLM2)
    theirs: Any = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    ours: Any = model.tokenizer
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.get_added_vocab() == theirs.get_added_vocab()
    assert ours.all_special_ids == theirs.all_special_ids
    assert ours.chat_template == theirs.chat_template
    texts = [PROSE, Path(__file__).read_text(encoding="utf-8"), *(ours.decode([i]) for i in range(2_000))]
    assert ours(texts)["input_ids"] == theirs(texts)["input_ids"]
