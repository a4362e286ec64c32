"""The weights of a GGUF file under transformers' names, as float32.

1. Every tensor is dequantised by the ``gguf`` package, whose table of names says where it belongs. A tensor
   that has no place is an error, never dropped, and so is a part of the model without a tensor.
2. In the llama architecture the rows of q and k are stored so that the two halves that rotary embedding pairs
   alternate; transformers wants the first halves first. Per head of ``2m`` rows, row ``2i + j`` becomes row
   ``j·m + i``.
3. Gemma's norms are stored with 1 added, and GPT-2's matrices are kept as [in, out] by transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, dequantize, get_tensor_name_map
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from actmax.errors import ActmaxError
from actmax.models.gguf_config import GgufArchitecture, architecture_of
from actmax.models.gguf_read import ELSE, GgufModel
from actmax.progress import Progress

SCALING = ("rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight")
"""Tensors that are part of the config, not of the weights."""


def halves_first(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """Undo GGUF's interleaving of rotary pairs: ``[heads·2m, …]`` to the same shape, rows reordered."""
    m = rows.shape[0] // n_heads // 2
    return rows.reshape(n_heads, m, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def places(net: nn.Module, architecture: str, n_blocks: int) -> dict[str, str]:
    """The names of an architecture's tensors in transformers, by their names in GGUF."""
    arch: MODEL_ARCH = next(arch for arch, name in MODEL_ARCH_NAMES.items() if name == architecture)
    names = get_tensor_name_map(arch, n_blocks)
    found: dict[str, str] = {}
    for ours in net.state_dict():
        stem, _, kind = ours.rpartition(".")
        theirs = names.get_name(stem)
        if theirs is not None:
            found[f"{theirs}.{kind}"] = ours
    return found


def gguf_weights(model: GgufModel, config: Mapping[str, Any], progress: Progress) -> dict[str, Tensor]:
    """All tensors of a GGUF model, float32, by transformers' names.

    Raises:
        ActmaxError: a tensor has no place in the architecture or another shape, or a part has no tensor.
    """
    row = architecture_of(model)
    blocks = int(config["n_layer"] if "n_layer" in config else config["num_hidden_layers"])
    if blocks > len(model.tensors):
        raise ActmaxError(
            f"{model.label!r} asks for {blocks} blocks and holds {len(model.tensors)} tensors; fetch or"
            " copy it again."
        )
    with torch.device("meta"):
        automatic: Any = AutoModelForCausalLM
        net: nn.Module = automatic.from_config(AutoConfig.for_model(**config), trust_remote_code=False)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    where = places(net, model.architecture, blocks)
    _check(model, config, row, where, shapes)
    total = sum(int(tensor.n_bytes) for tensor in model.tensors.values())
    done = 0
    weights: dict[str, Tensor] = {}
    for name, tensor in model.tensors.items():
        if name in SCALING:
            continue
        values = _laid_out(dequantize(tensor.data, tensor.tensor_type), name, row, config)
        weights[where[name]] = torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
        done += int(tensor.n_bytes)
        progress("converting", done, total)
    return weights


def _check(
    model: GgufModel,
    config: Mapping[str, Any],
    row: GgufArchitecture,
    where: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    for name, tensor in model.tensors.items():
        if name in SCALING:
            continue
        if name not in where:
            raise ActmaxError(
                f"{model.label!r} holds {name!r}, which a plain {model.architecture} does not have; {ELSE}"
            )
        held = tuple(int(size) for size in reversed(tensor.shape))
        held = held[::-1] if name.endswith(row.transposed) and row.transposed else held
        if held != shapes[where[name]]:
            raise ActmaxError(
                f"{model.label!r} holds {name!r} as {held}, but its settings ask for {shapes[where[name]]};"
                f" {ELSE}"
            )
    given = {where[name] for name in model.tensors if name in where}
    given |= {"lm_head.weight"} if config["tie_word_embeddings"] else set()
    missing = [name for name in shapes if name not in given]
    if missing:
        theirs = {ours: name for name, ours in where.items()}
        raise ActmaxError(
            f"{model.label!r} holds no weights for {theirs.get(missing[0], missing[0])!r}; {ELSE}"
        )


def _laid_out(values: np.ndarray, name: str, row: GgufArchitecture, config: Mapping[str, Any]) -> np.ndarray:
    if row.interleaved and (".attn_q." in name or ".attn_k." in name):
        heads = "num_attention_heads" if ".attn_q." in name else "num_key_value_heads"
        return halves_first(values, config[heads])
    if row.norms_plus_one and name.endswith("norm.weight"):
        return np.asarray(values - np.float32(1))
    if row.transposed and name.endswith(row.transposed):
        return values.T
    return values
