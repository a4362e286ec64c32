"""The weights of a GGUF file under transformers' names, as float32.

1. Every tensor is dequantised by the ``gguf`` package.
2. In the llama architecture the rows of q and k are stored so that the two halves that rotary embedding pairs
   alternate; transformers wants the first halves first. Per head of ``2m`` rows, row ``2i + j`` becomes row
   ``j·m + i``.
3. Names are changed. A tensor that has no place is an error, never dropped: a model with a part missing would
   still run.

Other architectures go through transformers' own reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.progress import Progress

_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def llama_name(name: str) -> str | None:
    """What transformers calls the llama tensor that GGUF calls ``name``; None where it has no such tensor."""
    if name in _TOP:
        return _TOP[name]
    match = re.fullmatch(r"blk\.(\d+)\.([a-z_]+)\.(weight|bias)", name)
    if match is None or match[2] not in _IN_BLOCK:
        return None
    return f"model.layers.{match[1]}.{_IN_BLOCK[match[2]]}.{match[3]}"


def halves_first(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """Undo GGUF's interleaving of rotary pairs: ``[heads·2m, …]`` to the same shape, rows reordered."""
    m = rows.shape[0] // n_heads // 2
    return rows.reshape(n_heads, m, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def llama_weights(
    reader: GGUFReader, config: Mapping[str, Any], label: str, progress: Progress
) -> dict[str, Tensor]:
    """All tensors of a llama GGUF file, float32, by transformers' names.

    Raises:
        ActmaxError: the file holds a tensor that a plain llama does not have (experts, rope factors).
    """
    total = sum(int(tensor.n_bytes) for tensor in reader.tensors)
    done = 0
    weights: dict[str, Tensor] = {}
    for tensor in reader.tensors:
        name = llama_name(tensor.name)
        if name is None:
            raise ActmaxError(
                f"{label!r} holds {tensor.name!r}, which a plain llama does not have;"
                " use the model's safetensors directory instead."
            )
        values = dequantize(tensor.data, tensor.tensor_type)
        if ".attn_q." in tensor.name:
            values = halves_first(values, config["num_attention_heads"])
        elif ".attn_k." in tensor.name:
            values = halves_first(values, config["num_key_value_heads"])
        weights[name] = torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
        done += int(tensor.n_bytes)
        progress("converting", done, total)
    return weights


def other_weights(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and weights of an architecture that transformers can read from GGUF.

    Raises:
        ActmaxError: transformers cannot, or leaves a part of the model without weights.
    """
    import transformers
    from transformers import modeling_gguf_pytorch_utils

    load: Any = modeling_gguf_pytorch_utils.load_gguf_checkpoint
    automatic: Any = transformers.AutoModelForCausalLM
    mend = "use the model's safetensors directory instead."
    try:
        config = dict(load(str(path))["config"])
        with torch.device("meta"):
            frame = automatic.from_config(
                transformers.AutoConfig.for_model(**config), trust_remote_code=False
            )
        found: dict[str, Tensor] = load(str(path), return_tensors=True, model_to_load=frame)["tensors"]
    except Exception as error:
        raise ActmaxError(
            f"The architecture of {path.name!r} cannot be read from GGUF by transformers"
            f" {transformers.__version__}; {mend}"
        ) from error
    tied = set(getattr(frame, "_tied_weights_keys", None) or ()) if config["tie_word_embeddings"] else set()
    missing = [name for name, _ in frame.named_parameters() if name not in found and name not in tied]
    if missing:
        raise ActmaxError(f"{path.name!r} holds no weights for {missing[0]!r}; {mend}")
    return frame.config.to_dict(), {name: value.float().contiguous() for name, value in found.items()}
