"""The default model: SmolLM2-135M-Instruct, fetched and converted on first use."""

from __future__ import annotations

from pathlib import Path

from actmax.assets.asset import fetch_asset
from actmax.assets.known import SMOLLM2
from actmax.models.gguf_file import converted, converted_dir, record_of
from actmax.progress import Progress, silent

DEFAULT_MODEL = SMOLLM2.name


def default_is_ready() -> bool:
    """Whether the default model is in the cache, converted and complete."""
    return record_of(converted_dir(SMOLLM2.member_sha256)) is not None


def default_model_dir(progress: Progress = silent) -> Path:
    """The default model's safetensors directory in the cache, made if it is missing.

    Raises:
        ActmaxError: it cannot be fetched, or the cache cannot be written to.
    """
    if default_is_ready():
        return converted_dir(SMOLLM2.member_sha256)
    gguf = fetch_asset(SMOLLM2, progress)
    return converted(gguf, name=SMOLLM2.name, sha256=SMOLLM2.member_sha256, progress=progress)
