"""sparsify (EleutherAI): ``<hookpoint>/cfg.json`` and ``sae.safetensors``; ReLU, then top-k.

``num_latents: 0`` means ``expansion_factor * d``. The hookpoint is the path of a module and the name of the
folder: ``layers.5`` is a block's output, ``layers.5.mlp`` the MLP's output (its input for a transcoder).
"""

from __future__ import annotations

import re

from actmax.dictionaries.dictionary import Dictionary, TopK
from actmax.dictionaries.files import Folder, tensor
from actmax.errors import ActmaxError

NAME = "sparsify"
CONFIG, WEIGHTS = "cfg.json", "sae.safetensors"
_POINT = re.compile(r"(?:layers|h|blocks)\.(\d+)(?:\.(mlp|attn|self_attn))?$")
_SITES = {
    None: "hook_resid_post",
    "mlp": "hook_mlp_out",
    "attn": "hook_attn_out",
    "self_attn": "hook_attn_out",
}


def recognises(folder: Folder) -> bool:
    """``cfg.json`` beside ``sae.safetensors``."""
    return folder.has(CONFIG) and folder.has(WEIGHTS)


def dictionary_of(folder: Folder) -> Dictionary:
    """Read one autoencoder or transcoder.

    Raises:
        ActmaxError: the folder's name is not a hookpoint, another activation than top-k, or a missing tensor.
    """
    config = folder.json(CONFIG)
    activation = str(config.get("activation") or "topk")
    k = config.get("k")
    if activation != "topk" or not isinstance(k, int) or k < 1:
        raise ActmaxError(
            f"The dictionary {folder.given!r} has the activation {activation!r} and k={k!r}; actmax reads "
            "sparsify's top-k ones."
        )
    tensors = folder.tensors(WEIGHTS)
    transcoder = bool(config.get("transcode"))
    point = _POINT.search(folder.path.resolve().name)
    if point is None or (transcoder and point[2] != "mlp"):
        raise ActmaxError(
            f"The folder's name {folder.path.resolve().name!r} is not a hookpoint; keep sparsify's name, for "
            "example layers.5 or layers.5.mlp."
        )
    writes = f"blocks.{point[1]}.{_SITES[point[2]]}"
    skip = tensors.get("W_skip")
    return Dictionary(
        format=NAME,
        reads=f"blocks.{point[1]}.mlp.hook_in" if transcoder else writes,
        writes=writes,
        W_enc=tensor(tensors, "encoder.weight", folder).T.contiguous(),
        b_enc=tensor(tensors, "encoder.bias", folder),
        W_dec=tensor(tensors, "W_dec", folder),
        b_dec=tensor(tensors, "b_dec", folder),
        gate=TopK(k, signed=bool(config.get("signed"))),
        subtract_b_dec=not transcoder,
        W_skip=None if skip is None else skip.T.contiguous(),
        expected_l0=float(k),
    )
