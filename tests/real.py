"""The default model, loaded once for all tests of a process that need it (they are marked ``real``)."""

from __future__ import annotations

import functools

import actmax
from actmax.models.model import Model


@functools.cache
def real_model() -> Model:
    """SmolLM2-135M-Instruct on the CPU in float32."""
    return actmax.load(device="cpu")
