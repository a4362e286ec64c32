"""What an unfinished atlas has on disk: its settings and, after every shard, everything recorded so far.

``building.json`` says what is being recorded, and is written first. ``state.safetensors`` holds all summaries
with the number of windows that are in them; each shard replaces it in one rename, so there is a
whole one at any moment. Both are removed when the atlas is finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.files import refusals, write_whole
from actmax.results.plain import json_text
from actmax.results.store import read_json, read_tensors, tensor_bytes

BUILDING, STATE, MANIFEST = "building.json", "state.safetensors", "manifest.json"
BUILDING_SCHEMA, SCHEMA = "actmax.atlas-building/1", "actmax.atlas/1"
_DONE = "windows done"
_MEANT: Mapping[str, str] = {
    "model": "the model",
    "weights": "the model's weights",
    "dtype": "the precision of the model (--dtype)",
    "device": "the device (--device)",
    "text_sha256": "the corpus's text",
    "windows_sha256": "the choice of windows (--max-tokens, --window, --bos or the tokenizer)",
    "sites": "the sites (--sites)",
    "top": "the number of examples (--top)",
    "context": "the context (--context)",
    "include_sinks": "--include-sinks",
    "threads": "the number of torch's threads (OMP_NUM_THREADS)",
}


def disk(folder: Path, saved: str = "nothing that was there is harmed") -> AbstractContextManager[None]:
    """Turn errors of the system while writing under ``folder`` into a sentence that says what is safe."""
    return refusals(folder, f"give another folder, and try again: {saved}")


def write_building(folder: Path, settings: Mapping[str, Any]) -> None:
    """Begin an atlas."""
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / BUILDING, json_text({"schema": BUILDING_SCHEMA, **settings}).encode())


def write_state(folder: Path, state: Mapping[str, Tensor], done: int) -> None:
    """Replace what is recorded by what is recorded now."""
    with disk(folder, "what was saved before is whole, and --resume goes on from there"):
        write_whole(folder / STATE, tensor_bytes({**state, _DONE: torch.tensor(done)}))


def read_state(folder: Path) -> tuple[dict[str, Tensor], int] | None:
    """What is recorded, and the number of windows in it; None before the first shard."""
    if not (folder / STATE).exists():
        return None
    state = read_tensors(folder / STATE)
    return state, int(state.pop(_DONE))


def found_settings(folder: Path) -> tuple[dict[str, Any], bool] | None:
    """The settings of the atlas in a folder and whether it is finished; None where there is no atlas."""
    if (folder / MANIFEST).exists():
        return read_json(folder / MANIFEST, SCHEMA), True
    if (folder / BUILDING).exists():
        return read_json(folder / BUILDING, BUILDING_SCHEMA), False
    return None


def check_same(folder: Path, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with an atlas of something else.

    Raises:
        ActmaxError: the sentence names the first thing that differs.
    """
    for name, value in wanted.items():
        if there.get(name) != value:
            shown = (
                ""
                if isinstance(value, list) or "sha256" in name
                else f" ({there.get(name)!r}, now {value!r})"
            )
            raise ActmaxError(
                f"The atlas in {str(folder)!r} was begun with another setting:"
                f" {_MEANT.get(name, name)} differs{shown}; give the same, or another folder."
            )


def clean(folder: Path) -> None:
    """Remove what only an unfinished atlas needs, and what interrupted writers left."""
    with disk(folder):
        for path in (folder / STATE, folder / BUILDING, *folder.glob(".*.tmp")):
            path.unlink(missing_ok=True)
