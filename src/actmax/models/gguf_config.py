"""The transformers config that the metadata of a GGUF file describes: one row per architecture.

Every key of the architecture is used here, is listed as harmless with the reason, or is refused by name. A
row of :data:`ARCHITECTURES` says what the architecture has beyond the settings that all share.

Rotary embeddings: ``linear`` and ``yarn`` scaling are transformers' own of that name; factors that the file
holds as tensors (``rope_freqs`` of Llama 3, ``rope_factors_short`` and ``_long`` of Phi-3) are transformers'
``longrope``, which divides each frequency by a factor of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from actmax.errors import ActmaxError, nearest
from actmax.models.gguf_read import ELSE, GgufKeys, GgufModel, numbers_of, short

Config = dict[str, Any]

HARMLESS: Mapping[str, str] = {
    "vocab_size": "the embedding matrix has as many rows as it has",
    "rope.scaling.finetuned": "says how the model was trained; nothing reads it",
}
"""Keys of an architecture that change no number, with the reason."""

_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "attention.causal": (True,),
    "attention.clamp_kqv": (0, 0.0),
    "attention.max_alibi_bias": (0, 0.0),
    "attention.group_norm_epsilon": (),
    "expert_count": (0,),
    "expert_used_count": (0,),
    "logit_scale": (1.0,),
    "residual_scale": (1.0,),
    "embedding_scale": (1.0,),
    "pooling_type": (0,),
    "tensor_data_layout": ("Meta AI original pth",),
    "use_parallel_residual": (False,),
}
"""Keys that some architecture reads, with the values that have no effect."""


@dataclass(frozen=True)
class GgufArchitecture:
    """How an architecture of GGUF becomes one of transformers."""

    model_type: str
    """The name in transformers."""
    name: str
    """The class in transformers."""
    read: Callable[[GgufKeys, Config], None]
    """The function that puts what only this architecture has into the config."""
    interleaved: bool = False
    """Whether the rows of q and k are stored so that the two halves of a rotary pair alternate."""
    norms_plus_one: bool = False
    """Whether norms are stored with 1 added."""
    transposed: tuple[str, ...] = ()
    """Weights that transformers keeps as [in, out]."""


def config_of(model: GgufModel) -> Config:
    """The config as a dict with ``model_type``.

    Raises:
        ActmaxError: the architecture cannot be read from GGUF, a setting is missing, or the file asks for
            something that the architecture does not do.
    """
    row = architecture_of(model)
    settings = GgufKeys(model)
    config = _common(settings)
    config["model_type"], config["architectures"] = row.model_type, [row.name]
    for name, values in _NEUTRAL.items():
        if settings.has(name):
            settings.neutral(name, *values)
    row.read(settings, config)
    settings.refuse_rest(HARMLESS)
    return config


def architecture_of(model: GgufModel) -> GgufArchitecture:
    """The row for a model.

    Raises:
        ActmaxError: there is none.
    """
    row = ARCHITECTURES.get(model.architecture)
    if row is None:
        close = nearest(model.architecture, ARCHITECTURES, 1)
        raise ActmaxError(
            f"The architecture {short(model.architecture)} of {model.label!r} cannot be read from GGUF (the"
            f" nearest that can is {close!r}); {ELSE}"
        )
    return row


def _common(settings: GgufKeys) -> Config:
    model = settings.model
    width, heads = settings.whole("embedding_length"), settings.whole("attention.head_count")
    size = settings.whole("attention.key_length", width // heads or 1)
    if settings.whole("attention.value_length", size) != size:
        raise settings.refuse("attention.value_length", "to something other than the keys' length")
    embedding = model.tensors.get("token_embd.weight")
    if embedding is None:
        raise ActmaxError(f"{model.label!r} holds no weights for 'token_embd.weight'; {ELSE}")
    return {
        "vocab_size": int(embedding.shape[-1]),
        "hidden_size": width,
        "intermediate_size": settings.whole("feed_forward_length", 4 * width),
        "num_hidden_layers": settings.whole("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": settings.whole("attention.head_count_kv", heads),
        "head_dim": size,
        "max_position_embeddings": settings.whole("context_length"),
        "tie_word_embeddings": "output.weight" not in model.tensors,
        **{
            f"{ours}_token_id": model.fields.get(f"tokenizer.ggml.{theirs}_token_id")
            for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
        },
    }


def _rms(settings: GgufKeys, config: Config) -> None:
    config["rms_norm_eps"] = float(settings.number("attention.layer_norm_rms_epsilon"))


def _rope(settings: GgufKeys, config: Config, *, partial: bool = False) -> Config:
    """The rotary parameters: base, scaling, and (where the architecture can) the part of a head that"
    " turns."""
    size = config["head_dim"]
    turning = settings.whole("rope.dimension_count", size)
    rope: Config = {"rope_type": "default", "rope_theta": float(settings.number("rope.freq_base", 10000.0))}
    if turning != size:
        if not partial or turning > size:
            raise settings.refuse("rope.dimension_count", f"to {turning} of a head of {size}")
        rope["partial_rotary_factor"] = turning / size
    factor = settings.has("rope.scaling.factor") or settings.has("rope.scale_linear")
    kind = settings.get("rope.scaling.type", "linear" if factor else "none")  # as llama.cpp reads it
    if kind in ("linear", "yarn"):
        _scaled(settings, rope, str(kind))
    elif kind not in ("none", "longrope"):
        raise settings.refuse(
            "rope.scaling.type", f"to {short(kind)}, which reading from GGUF does not support"
        )
    if kind in ("none", "linear"):  # read by the other kinds only
        for name in ("rope.scaling.original_context_length", "rope.scaling.factor", "rope.scale_linear"):
            settings.get(name)
    _factors(settings, config, rope)
    return rope


def _scaled(settings: GgufKeys, rope: Config, kind: str) -> None:
    name = "rope.scaling.factor" if settings.has("rope.scaling.factor") else "rope.scale_linear"
    if not settings.has(name):
        raise settings.refuse("rope.scaling.type", f"to {kind!r} without 'rope.scaling.factor'")
    factor = float(settings.number(name))
    if factor < 1:
        raise settings.refuse(name, f"to {factor}, which is smaller than 1")
    rope |= {"rope_type": kind, "factor": factor}
    if kind == "linear":
        settings.neutral("rope.scaling.attn_factor", 1.0)
        return
    rope["original_max_position_embeddings"] = settings.whole("rope.scaling.original_context_length")
    for theirs, ours in (("yarn_beta_fast", "beta_fast"), ("yarn_beta_slow", "beta_slow")):
        if settings.has(f"rope.scaling.{theirs}"):
            rope[ours] = float(settings.number(f"rope.scaling.{theirs}"))
    settings.neutral("rope.scaling.yarn_ext_factor", 1.0, -1.0)
    extra = 1.0
    for name in ("rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor"):
        extra *= float(settings.number(name, 1.0))
    if extra != 1.0:
        rope["attention_factor"] = extra * (0.1 * math.log(factor) + 1.0)


def _factors(settings: GgufKeys, config: Config, rope: Config) -> None:
    """Factors of single frequencies, which the file holds as tensors."""
    model = settings.model
    both = ["rope_factors_short.weight", "rope_factors_long.weight"]
    held = [name for name in both if name in model.tensors]
    one = "rope_freqs.weight" in model.tensors
    if not held and not one:
        if settings.get("rope.scaling.type") == "longrope":
            raise settings.refuse("rope.scaling.type", "to 'longrope' but holds no factors")
        return
    if rope["rope_type"] != "default" or (held and (one or len(held) < 2)):
        name = "rope_freqs.weight" if one else held[0]
        raise ActmaxError(f"{model.label!r} holds {name!r} besides another scaling of positions; {ELSE}")
    length = int(config["head_dim"] * rope.get("partial_rotary_factor", 1)) // 2
    short, long = (numbers_of(model, name) for name in (both if held else ["rope_freqs.weight"] * 2))
    if len(short) != length or len(long) != length or min(*short, *long) <= 0:
        name = held[0] if held else "rope_freqs.weight"
        raise ActmaxError(f"{model.label!r} holds {name!r} without exactly {length} positive factors; {ELSE}")
    original = config["max_position_embeddings"]
    attention = 1.0
    if held:
        original = settings.whole("rope.scaling.original_context_length")
        if not settings.has("rope.scaling.attn_factor"):
            raise ActmaxError(
                f"{model.label!r} lacks the setting {settings.key('rope.scaling.attn_factor')!r}, by which"
                f" attention is scaled; {ELSE}"
            )
        attention = float(settings.number("rope.scaling.attn_factor"))
    rope |= {
        "rope_type": "longrope",
        "short_factor": short,
        "long_factor": long,
        "attention_factor": attention,
        "original_max_position_embeddings": original,
    }
    config["original_max_position_embeddings"] = original


def _llama(settings: GgufKeys, config: Config) -> None:
    _rms(settings, config)
    config["rope_parameters"] = _rope(settings, config)
    tensors = settings.model.tensors
    config["attention_bias"] = "blk.0.attn_q.bias" in tensors
    config["mlp_bias"] = "blk.0.ffn_up.bias" in tensors
    _no_window(settings, config)


def _qwen(settings: GgufKeys, config: Config) -> None:
    _rms(settings, config)
    config["rope_parameters"] = _rope(settings, config)
    if settings.model.architecture == "qwen3":
        config["attention_bias"] = "blk.0.attn_q.bias" in settings.model.tensors
    _no_window(settings, config)


def _no_window(settings: GgufKeys, config: Config) -> None:
    window = settings.get("attention.sliding_window", 0)
    if window not in (0, None) and not (
        isinstance(window, int) and window >= config["max_position_embeddings"]
    ):
        raise settings.refuse(
            "attention.sliding_window", f"to {short(window)}, which {config['model_type']} ignores"
        )


def _window(settings: GgufKeys, config: Config) -> None:
    config["sliding_window"] = int(settings.number("attention.sliding_window", 0)) or None


def _query_scale(settings: GgufKeys, config: Config, blocks_of_largest: int) -> None:
    """The square of what Gemma divides its queries by; only newer files say it.

    Published models have heads of 256 and divide by their root; the largest of a generation has heads of 128
    and divides by the root of width / heads instead, as llama.cpp knows from its number of blocks.
    """
    if settings.has("attention.scale"):
        scale = float(settings.number("attention.scale"))
        if scale <= 0:
            raise settings.refuse("attention.scale", f"to {scale}")
        root = 1 / scale**2
        config["query_pre_attn_scalar"] = (
            round(root) if math.isclose(root, round(root), rel_tol=1e-5) else root
        )
    elif config["head_dim"] == 256:
        config["query_pre_attn_scalar"] = 256
    elif config["num_hidden_layers"] == blocks_of_largest:
        config["query_pre_attn_scalar"] = config["hidden_size"] // config["num_attention_heads"]
    else:
        raise ActmaxError(
            f"{settings.model.label!r} does not say how its queries are scaled"
            f" ({settings.key('attention.scale')!r}), and its heads are not 256 wide as those of published"
            f" Gemma models; {ELSE}"
        )


def _soft_caps(settings: GgufKeys, config: Config, attention: float | None, final: float | None) -> None:
    for name, default in (("attn_logit_softcapping", attention), ("final_logit_softcapping", final)):
        value = settings.get(name, default)
        config[name] = float(settings.number(name, default)) if value not in (None, 0, 0.0) else None


def _gemma2(settings: GgufKeys, config: Config) -> None:
    _rms(settings, config)
    config["rope_parameters"] = _rope(settings, config)
    _window(settings, config)
    _soft_caps(settings, config, 50.0, 30.0)
    _query_scale(settings, config, blocks_of_largest=46)


def _gemma3(settings: GgufKeys, config: Config) -> None:
    _rms(settings, config)
    local = float(settings.number("rope.freq_base_swa", 10000.0))
    if not settings.has("rope.freq_base"):
        raise ActmaxError(f"{settings.model.label!r} lacks the setting 'gemma3.rope.freq_base'; {ELSE}")
    config["rope_parameters"] = {
        "full_attention": _rope(settings, config),
        "sliding_attention": {"rope_type": "default", "rope_theta": local},
    }
    _window(settings, config)
    config["sliding_window_pattern"] = settings.whole("attention.sliding_window_pattern", 6)
    _soft_caps(settings, config, None, None)
    _query_scale(settings, config, blocks_of_largest=62)


def _phi3(settings: GgufKeys, config: Config) -> None:
    _rms(settings, config)
    rope = _rope(settings, config, partial=True)
    if rope["rope_type"] not in ("default", "longrope"):
        raise settings.refuse("rope.scaling.type", f"to {rope['rope_type']!r}, which Phi-3 does not have")
    config["rope_parameters"] = {"partial_rotary_factor": 1.0} | rope
    config.setdefault("original_max_position_embeddings", config["max_position_embeddings"])
    settings.get("rope.scaling.attn_factor")  # 1 where there are no factors
    settings.get("rope.scaling.original_context_length")
    _window(settings, config)


def _gpt2(settings: GgufKeys, config: Config) -> None:
    config["layer_norm_epsilon"] = float(settings.number("attention.layer_norm_epsilon"))
    names = {
        "hidden_size": "n_embd",
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
        "max_position_embeddings": "n_positions",
        "intermediate_size": "n_inner",
    }
    if config.pop("num_key_value_heads") != config["num_attention_heads"]:
        raise settings.refuse("attention.head_count_kv", "to a number other than that of the heads")
    if config.pop("head_dim") * config["num_attention_heads"] != config["hidden_size"]:
        raise settings.refuse("attention.key_length", "to something other than width / heads")
    for theirs, ours in names.items():
        config[ours] = config.pop(theirs)


ARCHITECTURES: Mapping[str, GgufArchitecture] = {
    "llama": GgufArchitecture("llama", "LlamaForCausalLM", _llama, interleaved=True),
    "qwen2": GgufArchitecture("qwen2", "Qwen2ForCausalLM", _qwen),
    "qwen3": GgufArchitecture("qwen3", "Qwen3ForCausalLM", _qwen),
    "gemma2": GgufArchitecture("gemma2", "Gemma2ForCausalLM", _gemma2, norms_plus_one=True),
    "gemma3": GgufArchitecture("gemma3_text", "Gemma3ForCausalLM", _gemma3, norms_plus_one=True),
    "phi3": GgufArchitecture("phi3", "Phi3ForCausalLM", _phi3),
    "gpt2": GgufArchitecture(
        "gpt2",
        "GPT2LMHeadModel",
        _gpt2,
        transposed=("attn_qkv.weight", "attn_output.weight", "ffn_up.weight", "ffn_down.weight"),
    ),
}
"""What is read from GGUF, by the architecture's name there."""
