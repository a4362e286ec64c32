"""Where a model runs and in which precision: the names that a user may give, checked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch

from actmax.errors import ActmaxError, nearest

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "float32": torch.float32,
        "float64": torch.float64,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }
)


def dtype_of(name: str | torch.dtype) -> torch.dtype:
    """The floating-point type called ``name``.

    Raises:
        ActmaxError: the name is unknown, or a model cannot run in this type.
    """
    if isinstance(name, torch.dtype):
        name = str(name).removeprefix("torch.")
    if name not in DTYPES:
        raise ActmaxError(
            f"The dtype {name!r} is not known (did you mean {nearest(name, DTYPES, 1)}?);"
            f" use one of {', '.join(DTYPES)}."
        )
    return DTYPES[name]


def device_of(name: str | torch.device) -> torch.device:
    """The device called ``name``: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` (CUDA where present).

    Raises:
        ActmaxError: the name is not one of these, or this machine has no such device.
    """
    if isinstance(name, torch.device):
        name = str(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise ActmaxError(f"The device {name!r} is not known; use auto, cpu, cuda, cuda:0 or mps.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            has = (
                f"only {count} CUDA device{'s' * (count != 1)}"
                if count
                else "no CUDA device that torch can use"
            )
            raise ActmaxError(f"There is no device {name!r}: this machine has {has}; use --device cpu.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ActmaxError(f"There is no device {name!r}: torch finds no Metal device; use --device cpu.")
    return device
