"""Gemma Scope 2: ``config.json`` with ``hf_hook_point_in`` and ``params.safetensors``; JumpReLU.

``layers.L.output`` is the residual stream after the block, ``self_attn.o_proj.input`` the heads' outputs, and
``pre_feedforward_layernorm.output`` what the MLP reads, with the norm's gain (unlike Gemma Scope 1).
"""

from __future__ import annotations

import re

from actmax.dictionaries.dictionary import Dictionary, JumpRelu
from actmax.dictionaries.files import Folder, tensor
from actmax.errors import ActmaxError

NAME = "gemma_scope_2"
CONFIG, WEIGHTS = "config.json", "params.safetensors"
_SITES = {
    "output": "hook_resid_post",
    "self_attn.o_proj.input": "attn.hook_z",
    "pre_feedforward_layernorm.output": "mlp.hook_in",
    "post_feedforward_layernorm.output": "hook_mlp_out",
}


def recognises(folder: Folder) -> bool:
    """``config.json`` that names a hook point, beside ``params.safetensors``."""
    return folder.has(CONFIG) and folder.has(WEIGHTS)


def dictionary_of(folder: Folder) -> Dictionary:
    """Read one autoencoder or transcoder.

    Raises:
        ActmaxError: another architecture, an unknown hook point, or a missing tensor.
    """
    config = folder.json(CONFIG)
    architecture = str(config.get("architecture"))
    if architecture not in ("jump_relu", "jumprelu"):
        raise ActmaxError(f"The dictionary {folder.given!r} is {architecture!r}; Gemma Scope 2 is jump_relu.")
    tensors = folder.tensors(WEIGHTS)
    reads = _site(str(config.get("hf_hook_point_in")), folder)
    l0 = config.get("l0")
    return Dictionary(
        format=NAME,
        reads=reads,
        writes=_site(str(config.get("hf_hook_point_out") or config.get("hf_hook_point_in")), folder),
        W_enc=tensor(tensors, "w_enc", folder),
        b_enc=tensor(tensors, "b_enc", folder),
        W_dec=tensor(tensors, "w_dec", folder),
        b_dec=tensor(tensors, "b_dec", folder),
        gate=JumpRelu(tensor(tensors, "threshold", folder)),
        W_skip=tensors.get("affine_skip_connection"),
        expected_l0=float(l0) if isinstance(l0, int | float) else None,
        prepend_bos=True,
        model_name=config.get("model_name"),
    )


def _site(point: str, folder: Folder) -> str:
    found = re.search(r"layers\.(\d+)\.(.+)", point)
    if found is None or found[2] not in _SITES:
        raise ActmaxError(
            f"The dictionary {folder.given!r} reads at {point!r}, which actmax has no site for; it knows "
            + ", ".join(f"layers.L.{name}" for name in _SITES)
            + "."
        )
    return f"blocks.{found[1]}.{_SITES[found[2]]}"
