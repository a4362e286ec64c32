"""Llama Scope: ``hyperparams.json`` and ``checkpoints/final.safetensors``; JumpReLU with one threshold.

The input is scaled by ``sqrt(d) / dataset_average_activation_norm["in"]`` and the output scaled back by the
same rule for ``"out"``. He et al. 2024, arXiv:2410.20526. Trained on the base model, often run on the
instruction-tuned one.
"""

from __future__ import annotations

import re
from dataclasses import replace

import torch

from actmax.dictionaries.dictionary import Dictionary, JumpRelu, Scaling
from actmax.dictionaries.files import Folder, tensor
from actmax.errors import ActmaxError

NAME = "llama_scope"
CONFIG, WEIGHTS = "hyperparams.json", "checkpoints/final.safetensors"
_SITES = {"R": "hook_resid_post", "A": "hook_attn_out", "M": "hook_mlp_out"}


def recognises(folder: Folder) -> bool:
    """``hyperparams.json`` beside ``checkpoints/final.safetensors``."""
    return folder.has(CONFIG) and folder.has(WEIGHTS)


def dictionary_of(folder: Folder) -> Dictionary:
    """Read one autoencoder.

    Raises:
        ActmaxError: no norm or threshold in its configuration, an unknown site, or a missing tensor.
    """
    config = folder.json(CONFIG)
    tensors = folder.tensors(WEIGHTS)
    norms = config.get("dataset_average_activation_norm") or {}
    threshold = config.get("jump_relu_threshold")
    if not isinstance(threshold, int | float) or not isinstance(norms.get("in"), int | float):
        raise ActmaxError(
            f"The {CONFIG} of the dictionary {folder.given!r} lacks jump_relu_threshold or "
            "dataset_average_activation_norm, without which its numbers would be wrong."
        )
    encoder = tensor(tensors, "encoder.weight", folder).T.contiguous()
    decoder = tensor(tensors, "decoder.weight", folder).T.contiguous()
    reads = _site(str(config.get("hook_point_in") or ""), folder)
    made = Dictionary(
        format=NAME,
        reads=reads,
        writes=_site(str(config.get("hook_point_out") or config.get("hook_point_in") or ""), folder),
        W_enc=encoder,
        b_enc=tensor(tensors, "encoder.bias", folder),
        W_dec=decoder,
        b_dec=tensor(tensors, "decoder.bias", folder),
        gate=JumpRelu(torch.full((encoder.shape[1],), float(threshold))),
        scaling=Scaling(
            "constant",
            encoder.shape[0] ** 0.5 / float(norms["in"]),
            decoder.shape[1] ** 0.5 / float(norms.get("out", norms["in"])),
        ),
        prepend_bos=True,
    )
    return replace(made, subtract_b_dec=bool(config.get("apply_decoder_bias_to_pre_encoder", False)))


def _site(point: str, folder: Folder) -> str:
    if re.fullmatch(r"blocks\.\d+\.[\w.]+", point):
        return point
    short = re.search(r"L(\d+)([RAM])-", f"{folder.given}/{folder.path.resolve().name}")
    if short is None:
        raise ActmaxError(f"The {CONFIG} of the dictionary {folder.given!r} names no hook_point_in.")
    return f"blocks.{short[1]}.{_SITES[short[2]]}"
