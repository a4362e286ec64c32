"""Where the sites of each architecture are: one row per family.

To add a family, add one row to :data:`FAMILIES`. A row says, for every site, which module holds it and
whether the site is what goes *into* the module or what comes *out* of it. Paths of block sites are relative
to the block. ``tests/models/test_families.py`` then tests the row on a tiny random model.

Two conventions follow TransformerLens, whose names the sites carry: ``hook_q``/``hook_k`` are read before
rotary embedding and before any q/k norm; ``hook_attn_out``/``hook_mlp_out`` are what is added to the
residual stream, so after a post-norm where the architecture has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from actmax.errors import ActmaxError, nearest

Part = Literal["all", "q", "k", "v", "gate", "up"]


@dataclass(frozen=True)
class Tap:
    """A tensor at the edge of a module, or a part of it where several sites are fused into one matrix."""

    module: str
    side: Literal["in", "out"]
    part: Part = "all"


def out(module: str, part: Part = "all") -> Tap:
    """The first output of ``module``."""
    return Tap(module, "out", part)


def into(module: str) -> Tap:
    """The first input of ``module``."""
    return Tap(module, "in")


def _always(config: Any) -> bool:
    return True


@dataclass(frozen=True)
class Family:
    """The module paths of one architecture."""

    embed: str
    """The token embedding module; its output is ``hook_embed``."""
    blocks: str
    """The list of blocks."""
    final_norm: str
    """Its output is ``ln_final.hook_normalized``; some configs leave it out."""
    attn_out: Tap
    mlp_out: Tap
    q: Tap
    k: Tap
    v: Tap
    z: Tap
    """The heads' outputs side by side: the input of the output projection."""
    mlp_pre: Tap
    """Before the non-linearity (the gate branch of a gated MLP)."""
    mlp_post: Tap
    """The input of the down-projection."""
    mlp_pre_linear: Tap | None = None
    """The up branch of a gated MLP."""
    resid_mid: Tap | None = None
    """The residual stream between attention and MLP; parallel blocks have none."""
    sequential: Callable[[Any], bool] = _always
    """Whether ``resid_mid`` exists, by the config. (GPT-NeoX has both kinds of block.)"""
    additive: Callable[[Any], bool] = _always
    """Whether ``resid_post = resid_pre + attn_out + mlp_out``, by the config. (Not in post-norm OPT-350m.)"""
    fused: Literal["concat", "per_head"] = "concat"
    """How a fused query/key/value matrix is laid out: q, k, v one after the other, or within each head."""


LLAMA = Family(
    embed="model.embed_tokens",
    blocks="model.layers",
    final_norm="model.norm",
    attn_out=out("self_attn.o_proj"),
    mlp_out=out("mlp.down_proj"),
    q=out("self_attn.q_proj"),
    k=out("self_attn.k_proj"),
    v=out("self_attn.v_proj"),
    z=into("self_attn.o_proj"),
    mlp_pre=out("mlp.gate_proj"),
    mlp_pre_linear=out("mlp.up_proj"),
    mlp_post=into("mlp.down_proj"),
    resid_mid=into("post_attention_layernorm"),
)

GPT2 = Family(
    embed="transformer.wte",
    blocks="transformer.h",
    final_norm="transformer.ln_f",
    attn_out=out("attn.c_proj"),
    mlp_out=out("mlp.c_proj"),
    q=out("attn.c_attn", "q"),
    k=out("attn.c_attn", "k"),
    v=out("attn.c_attn", "v"),
    z=into("attn.c_proj"),
    mlp_pre=out("mlp.c_fc"),
    mlp_post=into("mlp.c_proj"),
    resid_mid=into("ln_2"),
)

GEMMA2 = replace(
    LLAMA,
    attn_out=out("post_attention_layernorm"),
    mlp_out=out("post_feedforward_layernorm"),
    resid_mid=into("pre_feedforward_layernorm"),
)

FAMILIES: Mapping[str, Family] = {
    "llama": LLAMA,
    "mistral": LLAMA,
    "qwen2": LLAMA,
    "qwen3": LLAMA,
    "smollm3": LLAMA,
    "gemma": LLAMA,
    "gemma2": GEMMA2,
    "gemma3_text": GEMMA2,
    "gemma3": replace(
        GEMMA2,
        embed="model.language_model.embed_tokens",
        blocks="model.language_model.layers",
        final_norm="model.language_model.norm",
    ),
    "olmo2": replace(
        LLAMA,
        attn_out=out("post_attention_layernorm"),
        mlp_out=out("post_feedforward_layernorm"),
        resid_mid=into("mlp"),
    ),
    "phi3": replace(
        LLAMA,
        q=out("self_attn.qkv_proj", "q"),
        k=out("self_attn.qkv_proj", "k"),
        v=out("self_attn.qkv_proj", "v"),
        mlp_pre=out("mlp.gate_up_proj", "gate"),
        mlp_pre_linear=out("mlp.gate_up_proj", "up"),
    ),
    "phi": replace(
        LLAMA,
        final_norm="model.final_layernorm",
        attn_out=out("self_attn.dense"),
        mlp_out=out("mlp.fc2"),
        z=into("self_attn.dense"),
        mlp_pre=out("mlp.fc1"),
        mlp_pre_linear=None,
        mlp_post=into("mlp.fc2"),
        resid_mid=None,
    ),
    "gpt2": GPT2,
    "gpt_neo": replace(
        GPT2,
        attn_out=out("attn.attention.out_proj"),
        q=out("attn.attention.q_proj"),
        k=out("attn.attention.k_proj"),
        v=out("attn.attention.v_proj"),
        z=into("attn.attention.out_proj"),
    ),
    "gptj": replace(
        GPT2,
        attn_out=out("attn.out_proj"),
        mlp_out=out("mlp.fc_out"),
        q=out("attn.q_proj"),
        k=out("attn.k_proj"),
        v=out("attn.v_proj"),
        z=into("attn.out_proj"),
        mlp_pre=out("mlp.fc_in"),
        mlp_post=into("mlp.fc_out"),
        resid_mid=None,
    ),
    "gpt_neox": Family(
        embed="gpt_neox.embed_in",
        blocks="gpt_neox.layers",
        final_norm="gpt_neox.final_layer_norm",
        attn_out=out("attention.dense"),
        mlp_out=out("mlp.dense_4h_to_h"),
        q=out("attention.query_key_value", "q"),
        k=out("attention.query_key_value", "k"),
        v=out("attention.query_key_value", "v"),
        z=into("attention.dense"),
        mlp_pre=out("mlp.dense_h_to_4h"),
        mlp_post=into("mlp.dense_4h_to_h"),
        resid_mid=into("post_attention_layernorm"),
        sequential=lambda config: not config.use_parallel_residual,
        fused="per_head",
    ),
    "opt": Family(
        embed="model.decoder.embed_tokens",
        blocks="model.decoder.layers",
        final_norm="model.decoder.final_layer_norm",
        attn_out=out("self_attn.out_proj"),
        mlp_out=out("fc2"),
        q=out("self_attn.q_proj"),
        k=out("self_attn.k_proj"),
        v=out("self_attn.v_proj"),
        z=into("self_attn.out_proj"),
        mlp_pre=out("fc1"),
        mlp_post=into("fc2"),
        resid_mid=into("final_layer_norm"),
        sequential=lambda config: bool(config.do_layer_norm_before),
        additive=lambda config: bool(config.do_layer_norm_before),
    ),
}
"""The known architectures, by ``config.model_type``."""


def family_of(model_type: str) -> Family:
    """The row for an architecture.

    Raises:
        ActmaxError: the architecture is unknown; the sentence says how to add it.
    """
    try:
        return FAMILIES[model_type]
    except KeyError:
        raise ActmaxError(
            f"The architecture {model_type!r} is not known; the nearest are {nearest(model_type, FAMILIES)}. "
            "To add it, write one row into FAMILIES in actmax/models/families.py (CONTRIBUTING.md shows how)."
        ) from None
