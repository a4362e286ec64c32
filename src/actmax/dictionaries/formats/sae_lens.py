"""SAELens: ``cfg.json`` and ``sae_weights.safetensors``.

Version 6 nests ``metadata`` and names the ``architecture``; versions 3 to 5 are flat and default to a
standard autoencoder that subtracts ``b_dec`` and prepends BOS. In the old files a top-k gate hides in
``activation_fn_kwargs`` although the architecture says ``standard``. BatchTopK and Matryoshka autoencoders
are saved as JumpReLU with one threshold.

Sources: SAELens 6 ``saes/*.py`` (encoders) and ``loading/pretrained_sae_loaders.py`` (old files).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from actmax.dictionaries.dictionary import (
    Dictionary,
    Gate,
    Gated,
    JumpRelu,
    Relu,
    Scaling,
    TopK,
    scaled_by_decoder_norms,
)
from actmax.dictionaries.files import Folder, tensor
from actmax.errors import ActmaxError

NAME = "sae_lens"
CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
_SCALINGS = {
    "none": Scaling(),
    None: Scaling(),
    False: Scaling(),
    "layer_norm": Scaling("layer_norm"),
    "constant_norm_rescale": Scaling("unit_norm"),
}
_NOT_OF_ONE_POSITION = {"temporal", "matching_pursuit"}


def recognises(folder: Folder) -> bool:
    """``cfg.json`` beside ``sae_weights.safetensors``."""
    return folder.has(CONFIG) and folder.has(WEIGHTS)


def dictionary_of(folder: Folder) -> Dictionary:
    """Read either generation.

    Raises:
        ActmaxError: a tensor is missing, or the architecture or normalisation cannot be read.
    """
    config = folder.json(CONFIG)
    tensors = folder.tensors(WEIGHTS)
    nested = config.get("metadata")
    metadata: Mapping[str, Any] = nested if isinstance(nested, Mapping) else config
    architecture = str(config.get("architecture") or "standard")
    if architecture in _NOT_OF_ONE_POSITION:
        raise ActmaxError(
            f"The latents of {architecture!r} dictionaries ({folder.given!r}) are not a function of one "
            "position; actmax reads standard, topk, jumprelu and gated ones and transcoders."
        )
    _check_scaling_factor(tensors, folder)
    transcoder = "transcoder" in architecture
    old = not isinstance(nested, Mapping)
    reads = _hook(metadata, folder)
    made = Dictionary(
        format=NAME,
        reads=reads,
        writes=str(metadata.get("hook_name_out") or reads) if transcoder else reads,
        W_enc=tensor(tensors, "W_enc", folder),
        b_enc=tensor(tensors, "b_gate" if architecture == "gated" else "b_enc", folder),
        W_dec=tensor(tensors, "W_dec", folder),
        b_dec=tensor(tensors, "b_dec", folder),
        gate=_gate(architecture, config, tensors, folder),
        scaling=_scaling(config, folder),
        subtract_b_dec=not transcoder and bool(config.get("apply_b_dec_to_input", True)),
        W_skip=tensors["W_skip"].T.contiguous() if "W_skip" in tensors else None,
        expected_l0=_number(metadata.get("l0")),
        prepend_bos=bool(metadata.get("prepend_bos", True)) if old or "prepend_bos" in metadata else None,
        context_size=metadata.get("context_size"),
        model_name=metadata.get("model_name"),
    )
    if isinstance(made.gate, TopK) and made.expected_l0 is None:
        made = replace(made, expected_l0=float(made.gate.k))
    if isinstance(made.gate, TopK) and config.get("rescale_acts_by_decoder_norm"):
        return scaled_by_decoder_norms(made)
    return made


def _gate(
    architecture: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Folder
) -> Gate:
    options = config.get("activation_fn_kwargs") or {}
    function = str(config.get("activation_fn_str") or config.get("activation_fn") or "relu")
    if architecture in ("topk", "topk_transcoder") or function.startswith("topk"):
        k = config.get("k") or options.get("k")
        if not isinstance(k, int) or k < 1:
            raise ActmaxError(f"The dictionary {folder.given!r} is top-k, but its {CONFIG} names no k.")
        return TopK(k)
    if architecture in ("jumprelu", "jumprelu_transcoder") or "threshold" in tensors:
        return JumpRelu(tensor(tensors, "threshold", folder))
    if architecture == "gated":
        return Gated(tensor(tensors, "r_mag", folder), tensor(tensors, "b_mag", folder))
    if architecture in ("standard", "transcoder", "skip_transcoder") and function == "relu":
        return Relu()
    raise ActmaxError(
        f"The dictionary {folder.given!r} is of the unknown architecture {architecture!r} "
        f"(activation {function!r}); actmax reads standard, topk, jumprelu and gated ones and transcoders."
    )


def _scaling(config: Mapping[str, Any], folder: Folder) -> Scaling:
    kind = config.get("normalize_activations", "none")
    if kind in _SCALINGS:
        return _SCALINGS[kind]
    raise ActmaxError(
        f"The dictionary {folder.given!r} asks for normalize_activations={kind!r}, whose factor is not in "
        "the file; fold it into the weights (SAELens: fold_activation_norm_scaling_factor) and save again."
    )


def _hook(metadata: Mapping[str, Any], folder: Folder) -> str:
    hook = metadata.get("hook_name") or metadata.get("hook_point")
    if not isinstance(hook, str):
        raise ActmaxError(f"The {CONFIG} of the dictionary {folder.given!r} names no hook_name.")
    return hook


def _check_scaling_factor(tensors: Mapping[str, Tensor], folder: Folder) -> None:
    factor = tensors.get("scaling_factor")
    if factor is not None and not bool(torch.all(factor == 1)):
        raise ActmaxError(
            f"The dictionary {folder.given!r} has a scaling_factor that is not 1 (a fine-tuned one); "
            "fold it into the decoder with SAELens and save it again."
        )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
