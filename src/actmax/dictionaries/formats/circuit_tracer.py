"""circuit-tracer's per-layer transcoders: ``config.yaml`` and ``layer_i.safetensors``; ReLU or JumpReLU.

``W_enc`` is stored ``[n, d]``, transposed against SAELens; the orientation is read off ``b_enc``, never off
the name. A folder holds all layers, so the file is named: ``PATH/layer_8.safetensors``.
"""

from __future__ import annotations

import re

from torch import Tensor

from actmax.dictionaries.dictionary import Dictionary, Gate, JumpRelu, Relu
from actmax.dictionaries.files import Folder, tensor
from actmax.errors import ActmaxError

NAME = "circuit_tracer"
CONFIG = "config.yaml"
_LAYER = re.compile(r"layer_(\d+)\.safetensors")
_THRESHOLD = "activation_function.threshold"


def recognises(folder: Folder) -> bool:
    """``config.yaml`` beside files ``layer_i.safetensors``."""
    return folder.has(CONFIG) and any(_LAYER.fullmatch(name) for name in folder.names())


def dictionary_of(folder: Folder) -> Dictionary:
    """Read the transcoder of one layer.

    Raises:
        ActmaxError: no layer was named, a hook is missing from its configuration, or a tensor from the file.
    """
    config = folder.yaml(CONFIG)
    layers = [name for name in folder.names() if _LAYER.fullmatch(name)]
    name = folder.only or (layers[0] if len(layers) == 1 else None)
    found = _LAYER.fullmatch(name or "")
    if name is None or found is None:
        raise ActmaxError(
            f"{folder.given!r} holds {len(layers)} layers; name the file of one, for example "
            f"{folder.given}/{layers[0]}."
        )
    points = [config.get(key) for key in ("feature_input_hook", "feature_output_hook")]
    if not all(isinstance(point, str) for point in points):
        raise ActmaxError(
            f"The {CONFIG} of {folder.given!r} lacks feature_input_hook or feature_output_hook."
        )
    tensors = folder.tensors(name)
    b_enc = tensor(tensors, "b_enc", folder)
    skip = tensors.get("W_skip")
    return Dictionary(
        format=NAME,
        reads=f"blocks.{found[1]}.{_local(str(points[0]))}",
        writes=f"blocks.{found[1]}.{_local(str(points[1]))}",
        W_enc=_oriented(tensor(tensors, "W_enc", folder), len(b_enc)),
        b_enc=b_enc,
        W_dec=tensor(tensors, "W_dec", folder),
        b_dec=tensor(tensors, "b_dec", folder),
        gate=_gate(tensors),
        W_skip=None if skip is None else skip.T.contiguous(),
        model_name=config.get("model_name"),
    )


def _oriented(encoder: Tensor, n: int) -> Tensor:
    return encoder.T.contiguous() if encoder.ndim == 2 and encoder.shape[0] == n else encoder


def _gate(tensors: dict[str, Tensor]) -> Gate:
    return JumpRelu(tensors[_THRESHOLD].flatten()) if _THRESHOLD in tensors else Relu()


def _local(point: str) -> str:
    """The site of a hook: ``mlp.hook_in``, ``hook_resid_mid`` and ``hook_mlp_out`` are sites by these
    names."""
    return re.sub(r"^blocks\.\d+\.", "", point)
