"""A tiny random model as a directory, for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny import tiny_net, tiny_tokenizer


def tiny_folder(folder: Path, family: str = "llama", **config: Any) -> str:
    """Save a tiny model and its tokenizer into ``folder``; the path as ``--model`` takes it."""
    tiny_net(family, **config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)
