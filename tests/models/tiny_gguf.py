"""Tiny random models written as GGUF files, the way llama.cpp's converter lays them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quants
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

ALPHABET = sorted(ByteLevel.alphabet())
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WORDS = [("h", "e"), ("he", "l"), ("hel", "l"), ("hell", "o"), ("Ġ", "w"), ("Ġw", "o")]
TOKENS = [*SPECIAL, *ALPHABET, *(left + right for left, right in WORDS)]
WIDTH, HIDDEN, BLOCKS, HEADS, KV_HEADS = 32, 64, 2, 4, 2


def tiny_llama(*, tied: bool = True, bias: bool = False) -> LlamaForCausalLM:
    """A random llama with grouped queries."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=WIDTH,
        intermediate_size=HIDDEN,
        num_hidden_layers=BLOCKS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
        tie_word_embeddings=tied,
        attention_bias=bias,
        initializer_range=0.5,
        rms_norm_eps=2.0**-20,
    )
    net = LlamaForCausalLM(config)
    randomise(net)
    return net


def tiny_qwen2() -> Qwen2ForCausalLM:
    """A random qwen2: an architecture that goes through transformers' own reader."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(TOKENS),
        hidden_size=WIDTH,
        intermediate_size=HIDDEN,
        num_hidden_layers=BLOCKS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        initializer_range=0.5,
        rms_norm_eps=2.0**-20,
    )
    net = Qwen2ForCausalLM(config)
    randomise(net)
    return net


def randomise(net: Any) -> None:
    """Norms and biases too: all-ones and all-zeros hide mistakes."""
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter.copy_(torch.rand_like(parameter) + 0.5)
    net.eval()


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's order of the rows of q and k: the two halves of each head alternate."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    """GGUF's name for one of transformers' llama weights."""
    top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    path, kind = name.rsplit(".", 1)
    if path in top:
        return f"{top[path]}.{kind}"
    _, _, block, inner = path.split(".", 3)
    return f"blk.{block}.{GGUF_NAMES[inner]}.{kind}"


def write_gguf(
    path: Path,
    net: Any,
    *,
    architecture: str = "llama",
    quantised: GGMLQuantizationType | None = None,
    pre: str = "smollm",
    extra: dict[str, str] | None = None,
    extra_tensor: str | None = None,
) -> Path:
    """Write the net and a byte-level tokenizer to ``path``."""
    config = net.config
    writer = GGUFWriter(str(path), architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    for key, value in (extra or {}).items():
        writer.add_string(key, value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges([f"{left} {right}" for left, right in WORDS])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    for name, tensor in net.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = tensor.numpy()
        if architecture == "llama" and ".q_proj." in name:
            values = interleaved(values, config.num_attention_heads)
        elif architecture == "llama" and ".k_proj." in name:
            values = interleaved(values, config.num_key_value_heads)
        if quantised is not None and values.ndim == 2:
            packed = quants.quantize(values, quantised)
            writer.add_tensor(gguf_name(name), packed, raw_dtype=quantised)
        else:
            writer.add_tensor(gguf_name(name), np.ascontiguousarray(values))
    if extra_tensor is not None:
        writer.add_tensor(extra_tensor, np.ones(4, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
