"""A directory that holds a model: is everything there, and is it safe to read?

Only safetensors weights are read. Pickled weights can run any code when they are opened, and are refused; so
is a model whose config asks for Python code of its own.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from actmax.cache import sha256_of
from actmax.errors import ActmaxError

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "tekken.json", "vocab.txt")


def check_directory(folder: Path) -> None:
    """Check what can be checked without loading anything.

    Raises:
        ActmaxError: no config, no tokenizer, no weights, or only pickled weights.
    """
    if not (folder / "config.json").is_file():
        raise ActmaxError(
            f"{str(folder)!r} holds no config.json; give the directory that save_pretrained wrote."
        )
    read_config(folder)
    if not safetensors_of(folder):
        pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        if pickled:
            raise ActmaxError(
                f"{str(folder)!r} holds its weights pickled ({pickled[0]!r}), and opening a pickle can run"
                " any code; where you trust them, load them elsewhere and save them as safetensors."
            )
        raise ActmaxError(
            f"{str(folder)!r} holds no weights; it needs model.safetensors, as save_pretrained writes it."
        )
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ActmaxError(
            f"{str(folder)!r} holds no tokenizer; save the model's tokenizer there with"
            " tokenizer.save_pretrained, so that there is a tokenizer.json."
        )


def read_config(folder: Path) -> dict[str, Any]:
    """The content of ``config.json``.

    Raises:
        ActmaxError: it is not a JSON object with a ``model_type``.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ActmaxError(f"The config.json of {str(folder)!r} cannot be read; copy it again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ActmaxError(f"The config.json of {str(folder)!r} names no model_type; copy it again.")
    return config


def safetensors_of(folder: Path) -> list[Path]:
    """The weight files in a directory, by name."""
    return sorted(folder.glob("*.safetensors"))


def weights_hash(folder: Path) -> str:
    """One SHA-256 for all weight files: of the lines ``hash  name``, by name."""
    digest = hashlib.sha256()
    for path in safetensors_of(folder):
        digest.update(f"{sha256_of(path)}  {path.name}\n".encode())
    return digest.hexdigest()
