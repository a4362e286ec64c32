"""Dictionaries with random weights, written as each project's files are, with the published formula in NumPy.

A writer fills a folder and returns its path and the formula: from what is read ``[rows, d]`` to the latents
``[rows, n]`` before decoder norms are folded. The formulas are written out again here, in NumPy, from
the papers and the formats' own documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import save_file

D, N, K = 32, 40, 6
Array = np.ndarray[Any, np.dtype[np.float64]]
Formula = Callable[[Array], Array]


def draw(seed: int, *shape: int) -> Array:
    """Standard normal numbers that float32 holds exactly."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32).astype(np.float64)


W_ENC, B_ENC, W_DEC, B_DEC = draw(1, D, N), draw(2, N), draw(3, N, D), draw(4, D)
THETA, R_MAG, B_MAG, W_SKIP = np.abs(draw(5, N)), draw(6, N) * 0.1, draw(7, N), draw(8, D, D)
NORMS = np.linalg.norm(W_DEC, axis=1)


def relu(h: Array) -> Array:
    return np.maximum(h, 0)


def jump(h: Array, theta: Array) -> Array:
    return np.where(h > theta, relu(h), 0)


def largest(h: Array, k: int) -> Array:
    cut = np.sort(h, axis=1)[:, -k][:, None]
    return relu(np.where(h >= cut, h, 0))


def save(path: Path, **tensors: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            name.replace("__", "."): torch.tensor(value, dtype=torch.float32)
            for name, value in tensors.items()
        },
        path,
    )


def write_json(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def sae_lens_6(kind: str, **changes: Any) -> Callable[[Path], tuple[Path, Formula]]:
    """SAELens 6, of any architecture."""

    def write(folder: Path) -> tuple[Path, Formula]:
        config = {
            "d_in": D,
            "d_sae": N,
            "dtype": "float32",
            "architecture": kind,
            "apply_b_dec_to_input": True,
            "normalize_activations": "none",
            "metadata": {"hook_name": "blocks.1.hook_resid_post", "model_name": "tiny", "prepend_bos": True},
            **changes,
        }
        write_json(folder / "cfg.json", config)
        extra: dict[str, Array] = {}
        if kind == "jumprelu":
            extra = {"threshold": THETA}
        if kind == "gated":
            extra = {"b_gate": B_ENC, "b_mag": B_MAG, "r_mag": R_MAG}
        else:
            extra["b_enc"] = B_ENC
        save(folder / "sae_weights.safetensors", W_enc=W_ENC, W_dec=W_DEC, b_dec=B_DEC, **extra)
        return folder, lambda x: formula(x, config)

    def formula(x: Array, config: dict[str, Any]) -> Array:
        if config["normalize_activations"] == "layer_norm":
            x = (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, ddof=1, keepdims=True) + 1e-5)
        if config["normalize_activations"] == "constant_norm_rescale":
            x = x * np.sqrt(D) / np.linalg.norm(x, axis=1, keepdims=True)
        if config["apply_b_dec_to_input"]:
            x = x - B_DEC
        h = x @ W_ENC + B_ENC
        if kind == "topk":
            return largest(h * NORMS if config.get("rescale_acts_by_decoder_norm") else h, K)
        if kind == "jumprelu":
            return jump(h, THETA)
        if kind == "gated":
            return (h > 0) * relu(x @ (W_ENC * np.exp(R_MAG)) + B_MAG)
        return relu(h)

    return write


def sae_lens_6_transcoder(skip: bool) -> Callable[[Path], tuple[Path, Formula]]:
    """SAELens 6: from what the MLP reads to what it gives; ``b_dec`` is never subtracted."""

    def write(folder: Path) -> tuple[Path, Formula]:
        write_json(
            folder / "cfg.json",
            {
                "architecture": "skip_transcoder" if skip else "transcoder",
                "apply_b_dec_to_input": True,
                "metadata": {
                    "hook_name": "blocks.1.hook_resid_mid",
                    "hook_name_out": "blocks.1.hook_mlp_out",
                },
            },
        )
        more = {"W_skip": W_SKIP} if skip else {}
        save(folder / "sae_weights.safetensors", W_enc=W_ENC, W_dec=W_DEC, b_enc=B_ENC, b_dec=B_DEC, **more)
        return folder, lambda x: relu(x @ W_ENC + B_ENC)

    return write


def sae_lens_3(topk: bool) -> Callable[[Path], tuple[Path, Formula]]:
    """SAELens 3 to 5: flat, and a top-k gate that only ``activation_fn_kwargs`` shows."""

    def write(folder: Path) -> tuple[Path, Formula]:
        config: dict[str, Any] = {
            "architecture": "standard",
            "hook_name": "blocks.1.hook_resid_post",
            "hook_layer": 1,
            "activation_fn_str": "topk" if topk else "relu",
            "activation_fn_kwargs": {"k": K} if topk else {},
        }
        write_json(folder / "cfg.json", config)
        save(
            folder / "sae_weights.safetensors",
            W_enc=W_ENC,
            W_dec=W_DEC,
            b_enc=B_ENC,
            b_dec=B_DEC,
            scaling_factor=np.ones(N),
        )
        gate = (lambda h: largest(h, K)) if topk else relu
        return folder, lambda x: gate((x - B_DEC) @ W_ENC + B_ENC)

    return write


def gemma_scope(folder: Path) -> tuple[Path, Formula]:
    """Gemma Scope 1."""
    place = folder / "gemma-scope-2b-pt-res" / "layer_1" / "width_16k" / "average_l0_5"
    place.mkdir(parents=True)
    arrays = {"W_enc": W_ENC, "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC, "threshold": THETA}
    np.savez(place / "params.npz", allow_pickle=False, **{k: v.astype(np.float32) for k, v in arrays.items()})
    return place, lambda x: jump(x @ W_ENC + B_ENC, THETA)


def gemma_scope_2(folder: Path) -> tuple[Path, Formula]:
    """Gemma Scope 2."""
    write_json(
        folder / "config.json",
        {
            "architecture": "jump_relu",
            "hf_hook_point_in": "model.layers.1.output",
            "hf_hook_point_out": "model.layers.1.output",
            "width": N,
            "l0": 5,
        },
    )
    save(folder / "params.safetensors", w_enc=W_ENC, w_dec=W_DEC, b_enc=B_ENC, b_dec=B_DEC, threshold=THETA)
    return folder, lambda x: jump(x @ W_ENC + B_ENC, THETA)


def sparsify(folder: Path) -> tuple[Path, Formula]:
    """sparsify."""
    place = folder / "layers.1"
    write_json(place / "cfg.json", {"expansion_factor": 2, "num_latents": 0, "k": K, "transcode": False})
    save(
        place / "sae.safetensors",
        encoder__weight=W_ENC.T.copy(),
        encoder__bias=B_ENC,
        W_dec=W_DEC,
        b_dec=B_DEC,
    )
    return place, lambda x: largest(relu((x - B_DEC) @ W_ENC + B_ENC), K)


def llama_scope(folder: Path) -> tuple[Path, Formula]:
    """Llama Scope."""
    norm = 7.5
    write_json(
        folder / "hyperparams.json",
        {
            "hook_point_in": "blocks.1.hook_resid_post",
            "hook_point_out": "blocks.1.hook_resid_post",
            "jump_relu_threshold": 0.4,
            "dataset_average_activation_norm": {"in": norm, "out": norm},
        },
    )
    save(
        folder / "checkpoints" / "final.safetensors",
        encoder__weight=W_ENC.T.copy(),
        encoder__bias=B_ENC,
        decoder__weight=W_DEC.T.copy(),
        decoder__bias=B_DEC,
    )
    return folder, lambda x: jump(x * np.sqrt(D) / norm @ W_ENC + B_ENC, np.full(N, 0.4))


def circuit_tracer(folder: Path) -> tuple[Path, Formula]:
    """circuit-tracer's transcoder of one layer."""
    folder.mkdir(parents=True, exist_ok=True)
    points = {"feature_input_hook": "hook_resid_mid", "feature_output_hook": "hook_mlp_out"}
    (folder / "config.yaml").write_text(yaml.safe_dump({"model_name": "tiny", **points}))
    tensors = {"W_enc": W_ENC.T.copy(), "W_dec": W_DEC, "b_enc": B_ENC, "b_dec": B_DEC}
    save(folder / "layer_0.safetensors", **tensors)
    save(folder / "layer_1.safetensors", **tensors, activation_function__threshold=THETA[None])
    return folder / "layer_1.safetensors", lambda x: jump(x @ W_ENC + B_ENC, THETA)


WRITERS: dict[str, Callable[[Path], tuple[Path, Formula]]] = {
    "sae_lens standard": sae_lens_6("standard"),
    "sae_lens standard, b_dec not subtracted": sae_lens_6("standard", apply_b_dec_to_input=False),
    "sae_lens layer_norm": sae_lens_6("standard", normalize_activations="layer_norm"),
    "sae_lens constant_norm_rescale": sae_lens_6("standard", normalize_activations="constant_norm_rescale"),
    "sae_lens jumprelu": sae_lens_6("jumprelu"),
    "sae_lens topk": sae_lens_6("topk", k=K),
    "sae_lens topk by decoder norm": sae_lens_6("topk", k=K, rescale_acts_by_decoder_norm=True),
    "sae_lens gated": sae_lens_6("gated"),
    "sae_lens transcoder": sae_lens_6_transcoder(skip=False),
    "sae_lens skip transcoder": sae_lens_6_transcoder(skip=True),
    "sae_lens 3": sae_lens_3(topk=False),
    "sae_lens 3 topk": sae_lens_3(topk=True),
    "gemma_scope": gemma_scope,
    "gemma_scope_2": gemma_scope_2,
    "sparsify": sparsify,
    "llama_scope": llama_scope,
    "circuit_tracer": circuit_tracer,
}
"""Every format and architecture that is read."""
