"""Tiny random models of every family, with a byte-level tokenizer, built in milliseconds."""

from __future__ import annotations

import functools
import logging
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from actmax.models.load import wrap
from actmax.models.model import Model

WIDTH, BLOCKS, HEADS, KV_HEADS, D_HEAD, MLP = 32, 3, 4, 2, 8, 64

_OLD: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": WIDTH, "n_layer": BLOCKS, "n_head": HEADS, "n_positions": 64, "n_inner": MLP},
    "gpt_neo": {
        "hidden_size": WIDTH,
        "num_layers": 4,
        "num_heads": HEADS,
        "attention_types": [[["global", "local"], 2]],
        "max_position_embeddings": 64,
        "intermediate_size": MLP,
        "window_size": 4,
    },
    "gptj": {
        "n_embd": WIDTH,
        "n_layer": BLOCKS,
        "n_head": HEADS,
        "rotary_dim": 4,
        "n_positions": 64,
        "n_inner": MLP,
    },
    "opt": {
        "hidden_size": WIDTH,
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": HEADS,
        "ffn_dim": MLP,
        "word_embed_proj_dim": WIDTH,
        "max_position_embeddings": 64,
    },
}
_NEW: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": BLOCKS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": D_HEAD,
    "intermediate_size": MLP,
    "max_position_embeddings": 64,
}
FAMILY_NAMES = [
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "opt",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3_text",
    "phi",
    "phi3",
    "olmo2",
    "smollm3",
]
"""Families whose config can be made tiny directly (``gemma3`` needs a vision tower; see its test)."""


@functools.cache
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """256 bytes, a few merges, and ``<s>`` (0), ``</s>`` (1), ``<pad>`` (2) as special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    text = "the cat sat on the mat and the dog ran to the sea where a red ship was waiting for the tide "
    tokenizer.train_from_iterator([text * 4], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def tiny_net(family: str = "llama", seed: int = 0, **config: Any) -> PreTrainedModel:
    """A random model of a family: 3 blocks (GPT-Neo 4), 32 wide, 4 heads, 64 MLP neurons."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    settings = dict(_OLD.get(family, _NEW)) | {
        "vocab_size": len(tiny_tokenizer()),
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
    }
    if family == "gpt_neox":
        settings.pop("num_key_value_heads", None)
        settings.pop("head_dim", None)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **(settings | config)))
        for weight in net.parameters():  # the default init is so small that every site looks alike
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.3 if weight.shape[0] < 300 else 0.5)
    result: PreTrainedModel = net
    return result


def tiny_model(family: str = "llama", seed: int = 0, **config: Any) -> Model:
    """:func:`tiny_net` wrapped with :func:`tiny_tokenizer`."""
    return wrap(tiny_net(family, seed, **config), tiny_tokenizer(), name=f"tiny-{family}")


def tiny_ids(batch: int = 3, pos: int = 7, seed: int = 0) -> torch.Tensor:
    """Random ordinary token ids."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, len(tiny_tokenizer()), (batch, pos), generator=generator)
