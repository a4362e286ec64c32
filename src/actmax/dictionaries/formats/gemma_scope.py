"""Gemma Scope 1: ``layer_L/width_W/average_l0_X/params.npz``, JumpReLU, ``b_dec`` is not subtracted.

The name of the repository says the site (``-res``, ``-mlp``, ``-att``, ``-transcoders``), the folder's name
the block. Lieberum et al. 2024, arXiv:2408.05147.
"""

from __future__ import annotations

import re

from actmax.dictionaries.dictionary import Dictionary, JumpRelu
from actmax.dictionaries.files import Folder, tensor
from actmax.errors import ActmaxError

NAME = "gemma_scope"
WEIGHTS = "params.npz"
_SITES = {"res": "hook_resid_post", "mlp": "hook_mlp_out", "att": "attn.hook_z"}


def recognises(folder: Folder) -> bool:
    """``params.npz``."""
    return folder.has(WEIGHTS)


def dictionary_of(folder: Folder) -> Dictionary:
    """Read the archive; site, block and L0 come from the path.

    Raises:
        ActmaxError: the path does not name them, or a tensor is missing.
    """
    place = f"{folder.given}/{folder.path.resolve().as_posix()}"
    layer = re.search(r"layer_(\d+)", place)
    kind = re.search(r"gemma-scope-\w+-(?:pt|it)-(res|mlp|att|transcoders)", place)
    if layer is None or kind is None:
        raise ActmaxError(
            f"The path of {folder.given!r} does not say which site it was trained on; keep Gemma Scope's "
            "names, for example gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71."
        )
    block = f"blocks.{layer[1]}"
    transcoder = kind[1] == "transcoders"
    reads = f"{block}.ln2.hook_normalized" if transcoder else f"{block}.{_SITES[kind[1]]}"
    l0 = re.search(r"average_l0_(\d+(?:\.\d+)?)", place)
    tensors = folder.tensors(WEIGHTS)
    return Dictionary(
        format=NAME,
        reads=reads,
        writes=f"{block}.hook_mlp_out" if transcoder else reads,
        W_enc=tensor(tensors, "W_enc", folder),
        b_enc=tensor(tensors, "b_enc", folder),
        W_dec=tensor(tensors, "W_dec", folder),
        b_dec=tensor(tensors, "b_dec", folder),
        gate=JumpRelu(tensor(tensors, "threshold", folder)),
        expected_l0=None if l0 is None else float(l0[1]),
        prepend_bos=True,
    )
