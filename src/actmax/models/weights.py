"""Every tensor of a checkpoint has its place in the model, or the model is refused and the tensor named.

A tensor that is left out, or one that is made up, changes every number that is read afterwards. Those known
to change nothing are in :data:`HARMLESS`, with the reason; any other without a place is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel

from actmax.errors import ActmaxError

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
"""The types that hold numbers as they are; integers would need a scale."""

_SCALE = re.compile(
    r"(_scale|_scale_inv|_scales|_zero_point|qzeros|qweight|g_idx|absmax|quant_state.*|_packed)$"
)
_SHOWN = 3


@dataclass(frozen=True)
class Stored:
    """A tensor as a safetensors file holds it."""

    file: Path
    dtype: str
    """The type, as safetensors names it: ``F32``, ``BF16``."""
    shape: tuple[int, ...]

    def load(self, name: str) -> Tensor:
        """The tensor itself."""
        with safe_open(self.file, framework="pt") as opened:
            tensor: Tensor = opened.get_tensor(name)
            return tensor


def stored_tensors(paths: Iterable[Path], label: str) -> dict[str, Stored]:
    """The tensors in weight files, from their headers.

    Raises:
        ActmaxError: two files hold a tensor of one name.
    """
    found: dict[str, Stored] = {}
    for path in paths:
        with safe_open(path, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a dict
                if name in found:
                    raise ActmaxError(
                        f"Both {found[name].file.name!r} and {path.name!r} of {label!r} hold {name!r}, and"
                        " one of them would be left out; copy or fetch it again."
                    )
                part = opened.get_slice(name)
                found[name] = Stored(path, str(part.get_dtype()), tuple(part.get_shape()))
    return found


def precision_of(tensors: Mapping[str, Stored]) -> str:
    """The types in which the weights are stored, the one with most numbers first: ``bfloat16, float32``."""
    sizes: dict[str, int] = {}
    for tensor in tensors.values():
        kind = _DTYPES.get(tensor.dtype, tensor.dtype)
        sizes[kind] = sizes.get(kind, 0) + _count(tensor.shape)
    return ", ".join(sorted(sizes, key=lambda kind: (-sizes[kind], kind)))


def _count(shape: Iterable[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def refuse_quantised(config: Mapping[str, Any], tensors: Mapping[str, Stored], label: str) -> None:
    """Refuse weights that have a meaning only together with scales.

    Raises:
        ActmaxError: the config says that they are quantised, they come with scales, or they are integers.
    """
    scales = sorted(name for name in tensors if _SCALE.search(name))
    quantised = config.get("quantization_config")
    if quantised is not None or scales:
        kind = quantised.get("quant_method") if isinstance(quantised, Mapping) else None
        raise ActmaxError(
            f"The weights of {label!r} are quantised ({kind or 'by an unnamed method'})"
            + (f" and {_several(scales)} would be left out" if scales else "")
            + "; use the model's unquantised weights, or a GGUF file of it."
        )
    whole = [name for name, tensor in tensors.items() if tensor.dtype not in _DTYPES]
    odd = [name for name in whole if not any(pattern.search(name) for pattern, _ in HARMLESS)]
    if odd:
        raise ActmaxError(
            f"The weights of {label!r} hold {odd[0]!r} as {tensors[odd[0]].dtype}, which are not numbers that"
            " a model computes with; use the model's unquantised weights, or a GGUF file of it."
        )


def check_shapes(net: nn.Module, tensors: Mapping[str, Stored], label: str) -> None:
    """Compare the shapes that a config asks for with those stored, before anything is read.

    Args:
        net: the model of the config, on the meta device.
        tensors: what the files hold.
        label: what errors call the model.

    Raises:
        ActmaxError: a shape differs, or the config asks for far more numbers than there are.
    """
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    start = f"{getattr(net, 'base_model_prefix', '')}."
    for name, tensor in tensors.items():
        shape = wanted.get(name, wanted.get(start + name, wanted.get(name.removeprefix(start), tensor.shape)))
        if shape != tensor.shape:
            raise ActmaxError(
                f"{label!r} cannot be loaded: its weights hold {name!r} as {_by(tensor.shape)}, but its"
                f" config asks for {_by(shape)}; copy or fetch both again."
            )
    asked, held = (
        sum(map(_count, shapes)) for shapes in (wanted.values(), (t.shape for t in tensors.values()))
    )
    if asked > 4 * held:
        raise ActmaxError(
            f"{label!r} cannot be loaded: its config asks for {asked:,} numbers and its weights hold"
            f" {held:,}; copy or fetch both again."
        )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def check_places(
    net: PreTrainedModel, tensors: Mapping[str, Stored], info: Mapping[str, Any], label: str
) -> None:
    """Refuse a model that lacks a tensor of the files or has one that is not in them.

    Args:
        net: the loaded model.
        tensors: what the files hold.
        info: transformers' loading information.
        label: what errors call the model.

    Raises:
        ActmaxError: the sentence names the tensors.
    """
    missing = sorted(info["missing_keys"])
    if missing:
        raise ActmaxError(
            f"The weights of {label!r} lack {missing[0]!r} ({len(missing)} missing in all); the model would"
            " be partly random, so fetch or copy it again."
        )
    ignored = [
        re.compile(pattern) for pattern in getattr(net, "_keys_to_ignore_on_load_unexpected", None) or ()
    ]
    ignored += [pattern for pattern, _ in HARMLESS]
    places = {*net.state_dict()}
    dropped = {name for name in tensors if any(pattern.search(name) for pattern in ignored)}
    prefix = f"{net.base_model_prefix}."
    dropped = {n for n in dropped if not {n, prefix + n, n.removeprefix(prefix)} & places}
    homeless = sorted(
        name
        for name in {*info["unexpected_keys"]} | dropped
        if name not in tensors or not _harmless(net, name, tensors[name])
    )
    if homeless:
        raise ActmaxError(
            f"The weights of {label!r} hold {_several(homeless)}, for which the architecture"
            f" {net.config.model_type!r} has no place; what the model computes without them would be wrong,"
            " so use the config that belongs to these weights, or another copy of the model."
        )


def _several(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(map(repr, names[:_SHOWN])) + (f" and {more} more tensors" if more > 0 else "")


def _harmless(net: PreTrainedModel, name: str, stored: Stored) -> bool:
    return any(pattern.search(name) and same(net, stored.load(name)) for pattern, same in HARMLESS)


def _same_frequencies(net: PreTrainedModel, value: Tensor) -> bool:
    """The rotary frequencies are computed from the config; a copy in the file must be the same."""
    own = [
        b.float().cpu()
        for name, b in net.named_buffers()
        if name.endswith("inv_freq") and "original" not in name
    ]
    return any(b.shape == value.shape and torch.allclose(b, value.float(), rtol=1e-2) for b in own)


def _is_causal_mask(net: PreTrainedModel, value: Tensor) -> bool:
    """The causal mask was once saved with the weights; it is made anew. (A bias has one dimension.)"""
    return value.ndim == 4 and not bool(value.float().triu(1).any())


def _is_one_number(net: PreTrainedModel, value: Tensor) -> bool:
    """What masked positions were once filled with; any large negative number does the same."""
    return value.numel() == 1


def _counts_up(net: PreTrainedModel, value: Tensor) -> bool:
    """Positions 0, 1, 2, … were once saved with the weights."""
    return torch.equal(value.flatten().long(), torch.arange(value.numel()))


HARMLESS: tuple[tuple[re.Pattern[str], Callable[[PreTrainedModel, Tensor], bool]], ...] = (
    (re.compile(r"rotary_emb\.inv_freq$"), _same_frequencies),
    (re.compile(r"\.(attn|attention)(\.attention)?\.bias$"), _is_causal_mask),
    (re.compile(r"\.(attn|attention)(\.attention)?\.masked_bias$"), _is_one_number),
    (re.compile(r"(^|\.)position_ids$"), _counts_up),
)
"""Tensors without a place that change nothing: their names, and the check (its docstring is the reason)."""


def check_finite(net: nn.Module, label: str, precision: str | None) -> None:
    """Refuse weights that are not numbers.

    Args:
        net: the model; every floating-point parameter is looked at.
        label: what errors call the model.
        precision: the types in which the files hold the weights, where there are files.

    Raises:
        ActmaxError: the sentence names the tensor.
    """
    for name, weight in net.named_parameters():
        if not weight.is_floating_point() or weight.is_meta or not weight.numel():
            continue
        dtype = str(weight.dtype).removeprefix("torch.")
        low, high = torch.aminmax(weight.detach().float() if weight.dtype.itemsize == 1 else weight.detach())
        if bool(torch.isfinite(low)) and bool(torch.isfinite(high)):
            continue
        if precision is not None and dtype == "float16" and precision != dtype:
            raise ActmaxError(
                f"The weight {name!r} of {label!r} does not fit into float16; use --dtype float32 or"
                " bfloat16."
            )
        raise ActmaxError(
            f"The weight {name!r} of {label!r} holds values that are not numbers (NaN or infinite), so"
            " nothing that the model computes would mean anything; fetch or copy its weights again."
        )
