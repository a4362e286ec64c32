"""Settings of ``config.json`` that the architecture's class would ignore, although they change the numbers.

transformers accepts any key in a config and ignores what the architecture does not know. Most such keys are
harmless: who saved the file, with which version, for which tool. :data:`BEARING` lists those that change what
some architecture computes; where another architecture has one, with a value that has an effect, it is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from actmax.errors import ActmaxError

BEARING: Mapping[str, tuple[Any, ...]] = {
    "alibi": (False,),
    "attention_multiplier": (1, None),
    "attn_logit_softcapping": (None, 0),
    "dim_model_base": (None,),
    "embedding_multiplier": (1, None),
    "embedding_scale": (1, None),
    "final_logit_softcapping": (None, 0),
    "final_logit_softcap": (None, 0),
    "lm_head_multiplier": (1, None),
    "logit_scale": (1, None),
    "logits_scaling": (1, None),
    "mup_width_scale": (1, None),
    "n_experts": (None, 0),
    "no_rope_layers": (None, []),
    "num_experts": (None, 0),
    "num_local_experts": (None, 0, 1),
    "qk_layernorm": (False, None),
    "qk_norm": (False, None),
    "query_pre_attn_scalar": (None,),
    "residual_multiplier": (1, None),
    "rope_interleaved": (False, None),
    "scale_depth": (None,),
    "scale_emb": (1, None),
    "use_qk_norm": (False, None),
}
"""Keys that change what some architecture computes, each with the values that have no effect."""

ROPE_KEYS: Mapping[str, frozenset[str]] = {
    "default": frozenset(),
    "linear": frozenset({"factor"}),
    "dynamic": frozenset({"factor", "original_max_position_embeddings"}),
    "yarn": frozenset(
        {
            *("factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow"),
            *("mscale", "mscale_all_dim", "truncate"),
        }
    ),
    "longrope": frozenset(
        {"factor", "short_factor", "long_factor", "attention_factor", "original_max_position_embeddings"}
    ),
    "llama3": frozenset(
        {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}
    ),
}
_ROPE_ALWAYS = frozenset({"rope_type", "type", "rope_theta", "partial_rotary_factor", "finetuned"})
"""``finetuned`` says how the model was made; nothing reads it."""


def check_config(config: Any, label: str) -> None:
    """Refuse a transformers config that asks for what its architecture's class ignores.

    Raises:
        ActmaxError: the sentence names the key.
    """
    text = config.get_text_config()
    known = _known_keys(type(text))
    for key, neutral in BEARING.items():
        value = getattr(text, key, None)
        if key not in known and value is not None and value not in neutral:
            raise ActmaxError(
                f"The config of {label!r} sets {key!r} to {value!r:.60}, which the architecture"
                f" {text.model_type!r} does not read, so its numbers would be wrong; use the architecture"
                " that the model was made with."
            )
    rope = getattr(text, "rope_parameters", None)
    for part in _rope_parts(rope):
        kind = str(part.get("rope_type", part.get("type", "default")))
        if kind not in ROPE_KEYS:
            raise ActmaxError(
                f"The config of {label!r} scales rotary embeddings in the unknown way {kind!r};"
                f" choose {', '.join(ROPE_KEYS)}."
            )
        unread = sorted(part.keys() - ROPE_KEYS[kind] - _ROPE_ALWAYS)
        if unread:
            raise ActmaxError(
                f"The config of {label!r} sets {unread[0]!r} for rotary embeddings of the kind {kind!r},"
                " which does not read it; correct the config."
            )


def _known_keys(kind: type) -> set[str]:
    own = {field.name for field in fields(kind)} if is_dataclass(kind) else set()
    return own | {key for base in kind.__mro__ for key in getattr(base, "__annotations__", {})}


def _rope_parts(rope: Any) -> list[Mapping[str, Any]]:
    if not isinstance(rope, Mapping):
        return []
    inner = [part for part in rope.values() if isinstance(part, Mapping)]
    return inner or [rope]
