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


BLOCK_NAMES: dict[str, dict[str, str]] = {
    "llama": GGUF_NAMES,
    "qwen2": GGUF_NAMES,
    "qwen3": GGUF_NAMES | {"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"},
    "gemma2": GGUF_NAMES
    | {
        "post_attention_layernorm": "post_attention_norm",
        "pre_feedforward_layernorm": "ffn_norm",
        "post_feedforward_layernorm": "post_ffw_norm",
    },
    "phi3": {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.qkv_proj": "attn_qkv",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    },
    "gpt2": {
        "ln_1": "attn_norm",
        "ln_2": "ffn_norm",
        "attn.c_attn": "attn_qkv",
        "attn.c_proj": "attn_output",
        "mlp.c_fc": "ffn_up",
        "mlp.c_proj": "ffn_down",
    },
}
"""What llama.cpp's converter calls the modules of a block."""
BLOCK_NAMES["gemma3"] = BLOCK_NAMES["gemma2"] | {
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
}
TOP_NAMES = {
    "model.embed_tokens": "token_embd",
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "model.norm": "output_norm",
    "transformer.ln_f": "output_norm",
    "lm_head": "output",
}


def as_stored(name: str, values: np.ndarray, architecture: str, config: Any) -> tuple[str, np.ndarray]:
    """The name and layout that llama.cpp's converter gives to one of transformers' weights."""
    path, kind = name.rsplit(".", 1)
    if path in TOP_NAMES:
        theirs = TOP_NAMES[path]
    else:
        _, _, block, inner = path.split(".", 3)
        theirs = f"blk.{block}.{BLOCK_NAMES[architecture][inner]}"
    if architecture == "llama" and ".q_proj." in name:
        values = interleaved(values, config.num_attention_heads)
    if architecture == "llama" and ".k_proj." in name:
        values = interleaved(values, config.num_key_value_heads)
    if architecture.startswith("gemma") and theirs.endswith("norm"):
        values = values + np.float32(1)
    if architecture == "gpt2" and ".c_" in name and kind == "weight":
        values = values.T
    return f"{theirs}.{kind}", np.ascontiguousarray(values)


def settings_of(net: Any, architecture: str) -> dict[str, Any]:
    """The keys of an architecture that llama.cpp's converter writes, without its name, for plain"
    " positions."""
    config = net.config
    heads = config.num_attention_heads
    keys: dict[str, Any] = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "attention.head_count": heads,
    }
    if architecture == "gpt2":
        inner = config.n_inner or 4 * config.hidden_size
        return keys | {
            "feed_forward_length": inner,
            "attention.layer_norm_epsilon": config.layer_norm_epsilon,
        }
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    rope = config.rope_parameters
    keys |= {
        "feed_forward_length": config.intermediate_size,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "attention.key_length": size,
        "attention.value_length": size,
        "rope.freq_base": (rope.get("full_attention") or rope)["rope_theta"],
    }
    if architecture in ("llama", "phi3"):
        keys["rope.dimension_count"] = int(size * rope.get("partial_rotary_factor", 1.0))
    if architecture in ("gemma2", "gemma3", "phi3"):
        keys["attention.sliding_window"] = config.sliding_window or 0
    if architecture == "gemma2":
        keys["attn_logit_softcapping"] = config.attn_logit_softcapping
        keys["final_logit_softcapping"] = config.final_logit_softcapping
    return keys


def byte_level_keys(pre: str = "smollm") -> dict[str, Any]:
    """The metadata of a byte-level tokenizer."""
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)),
        "tokenizer.ggml.merges": [f"{left} {right}" for left, right in WORDS],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


def write_keys(writer: GGUFWriter, keys: dict[str, Any]) -> None:
    """Metadata with the types that llama.cpp's converter gives them; a value of None is left out."""
    for key, value in keys.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)


def write_model(
    path: Path,
    net: Any,
    architecture: str,
    settings: dict[str, Any] | None = None,
    *,
    keys: dict[str, Any] | None = None,
    tensors: dict[str, np.ndarray] | None = None,
    drop: tuple[str, ...] = (),
    quantised: GGMLQuantizationType | None = None,
) -> Path:
    """Write a net as llama.cpp's converter does.

    Args:
        path: the file.
        net: any of the architectures above.
        architecture: GGUF's name for it.
        settings: more keys of the architecture, without its name, or other values (None: left out).
        keys: more keys, or other values, by their whole names.
        tensors: further tensors.
        drop: tensors left out.
        quantised: how matrices are stored.
    """
    writer = GGUFWriter(str(path), architecture)
    own = {f"{architecture}.{k}": v for k, v in (settings_of(net, architecture) | (settings or {})).items()}
    write_keys(writer, own | byte_level_keys() | (keys or {}))
    tied = net.config.tie_word_embeddings
    held = dict(
        as_stored(name, tensor.numpy(), architecture, net.config)
        for name, tensor in net.state_dict().items()
        if not (tied and name == "lm_head.weight")
    )
    for name, values in (held | (tensors or {})).items():
        if name in drop:
            continue
        if quantised is not None and values.ndim == 2:
            writer.add_tensor(name, quants.quantize(values, quantised), raw_dtype=quantised)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


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
