"""A model's directory: which of its files are read, and whether they are complete and safe to read.

1. Only safetensors weights are read. Pickled weights can run any code when they are opened, and are refused;
   so is a model whose config asks for Python code of its own.
2. The weights that are read are those that transformers reads: ``model.safetensors``, else the shards that
   ``model.safetensors.index.json`` lists. Weights under another name are named in the error, not guessed at.
3. An adapter is never applied or left out silently: a directory that holds one is refused.
4. :func:`files_read` names every file that a result depends on, with its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actmax.cache import sha256_of
from actmax.errors import ActmaxError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_CONFIGS = ("config.json", "generation_config.json", INDEX)
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "tekken.json", "vocab.txt")
_TOKENIZER_SETTINGS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)


@dataclass(frozen=True)
class WeightFiles:
    """The weight files of a directory that are read, and a note about the choice."""

    paths: tuple[Path, ...]
    note: str = ""
    """A sentence where the directory holds further weights; empty where there was no choice."""


def check_directory(folder: Path) -> WeightFiles:
    """Check whatever can be checked without loading anything.

    Raises:
        ActmaxError: no config, no tokenizer, no weights, only pickled weights, an adapter, or quantised
            weights.
    """
    _refuse_adapter(folder)
    if not (folder / "config.json").is_file():
        raise ActmaxError(
            f"{str(folder)!r} holds no config.json; give the directory that save_pretrained wrote."
        )
    read_config(folder)
    weights = weight_files(folder)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ActmaxError(
            f"{str(folder)!r} holds no tokenizer; save the model's tokenizer there with"
            " tokenizer.save_pretrained, so that there is a tokenizer.json."
        )
    return weights


def _refuse_adapter(folder: Path) -> None:
    if not (folder / ADAPTER).is_file():
        return
    try:
        settings = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
        kind, base = str(settings["peft_type"]), settings.get("base_model_name_or_path")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        kind, base = "PEFT", None
    of = f" for the model {base!r}" if base else ""
    merge = "merge it into its model with peft's merge_and_unload and save that"
    if (folder / "config.json").is_file():
        raise ActmaxError(
            f"{str(folder)!r} holds a model and an adapter as well ({kind}, in {ADAPTER}); {merge}, or move"
            " the adapter out of the directory to load the model without it."
        )
    raise ActmaxError(
        f"{str(folder)!r} holds an adapter ({kind}, in {ADAPTER}){of} and no model of its own; {merge}, or"
        " load it in Python and give it to actmax.wrap."
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The content of ``config.json``.

    Raises:
        ActmaxError: it is not a JSON object with a ``model_type``.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ActmaxError(f"The config.json of {str(folder)!r} cannot be read; copy it again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ActmaxError(f"The config.json of {str(folder)!r} names no model_type; copy it again.")
    return config


def weight_files(folder: Path) -> WeightFiles:
    """The weight files that are read: ``model.safetensors``, or the shards that the index lists.

    Raises:
        ActmaxError: there are none, only pickled ones, only ones of another name, or a shard is missing.
    """
    single, index = folder / WEIGHTS, folder / INDEX
    if single.is_file():
        note = ""
        if index.is_file():
            note = f"{WEIGHTS} was read; the shards that {INDEX} lists beside it were not."
        return WeightFiles((single,), note)
    if index.is_file():
        return WeightFiles(_shards(folder))
    there = sorted(path.name for path in folder.glob("*.safetensors"))
    if there:
        raise ActmaxError(
            f"{str(folder)!r} holds no {WEIGHTS}, but {there[0]!r}"
            + (f" and {len(there) - 1} more" if len(there) > 1 else "")
            + f"; rename it to {WEIGHTS} if it holds the weights (and several of them need {INDEX})."
        )
    pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
    if pickled:
        raise ActmaxError(
            f"{str(folder)!r} holds its weights pickled ({pickled[0]!r}), and opening a pickle can run"
            " any code; where you trust them, load them elsewhere and save them as safetensors."
        )
    raise ActmaxError(
        f"{str(folder)!r} holds no weights; it needs model.safetensors, as save_pretrained writes it."
    )


def _shards(folder: Path) -> tuple[Path, ...]:
    try:
        listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        names = sorted({str(name) for name in listed.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ActmaxError(f"The {INDEX} of {str(folder)!r} lists no shards; copy it again.") from error
    if not names or any(Path(name).name != name for name in names):
        raise ActmaxError(f"The {INDEX} of {str(folder)!r} lists no shards beside it; copy it again.")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise ActmaxError(
            f"{str(folder)!r} lacks {absent[0]!r} ({len(absent)} of its {len(names)} shards are missing);"
            " copy or fetch it again."
        )
    return tuple(folder / name for name in names)


def hash_of_hashes(files: Mapping[str, str]) -> str:
    """One SHA-256 for several files: of the lines ``hash  name``, by name."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """The SHA-256 of a file. The hub's cache names its large files by it, and then it is not computed."""
    stored = path.resolve().name if path.is_symlink() else ""
    known = len(stored) == 64 and all(c in "0123456789abcdef" for c in stored)
    return stored if known else sha256_of(path)


def files_read(folder: Path, weights: WeightFiles) -> dict[str, str]:
    """The name and SHA-256 of every file that loading a directory reads: config, weights and tokenizer.

    Where there is a ``tokenizer.json`` it is the whole tokenizer, and older vocabulary files are not read.
    """
    tokenizers = _TOKENIZERS[:1] if (folder / _TOKENIZERS[0]).is_file() else (*_TOKENIZERS, "merges.txt")
    index = () if weights.paths[0].name == WEIGHTS else (INDEX,)
    names = (*_CONFIGS[:2], *index, *tokenizers, *_TOKENIZER_SETTINGS)
    paths = [folder / name for name in names if (folder / name).is_file()]
    return {path.name: file_hash(path) for path in sorted([*paths, *weights.paths])}
