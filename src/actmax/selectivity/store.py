"""Activations on disk: one safetensors file, and a JSON index that says what its rows and columns are.

``activations.safetensors`` holds one tensor ``[samples, width]`` for each site, under the site's name.
``activations.json`` has one entry a row: the group, the target, its text, its document and corpus position.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.results.plain import json_text
from actmax.results.store import read_json, read_tensors, tensor_bytes, write_files
from actmax.selectivity.extract import Activations
from actmax.selectivity.sample import Sample
from actmax.selectivity.settings import Take

SCHEMA = "actmax.activations/1"
TENSORS, INDEX = "activations.safetensors", "activations.json"


@dataclass(frozen=True)
class StoredActivations:
    """What :func:`save_activations` wrote."""

    tensors: dict[str, Tensor]
    """Site to ``[samples, width]``."""
    rows: list[dict[str, Any]]
    """What each sample is."""
    take: str


def save_activations(
    folder: str | os.PathLike[str],
    acts: Activations,
    samples: Sequence[Sample],
    groups: Sequence[str],
    *,
    model: str,
    take: Take,
) -> None:
    """Write the samples that were read; ``groups`` names the group of each sample.

    Raises:
        ActmaxError: the folder cannot be written to, or its disk is full.
    """
    kept = [k for k in range(len(samples)) if acts.done[k]]
    tensors = {
        site.name: torch.from_numpy(acts.values[kept, acts.bounds(n)]) for n, site in enumerate(acts.sites)
    }
    rows = [
        {
            "group": groups[k],
            "text": samples[k].text,
            "word": samples[k].word,
            "before": samples[k].before,
            "after": samples[k].after,
            "document": samples[k].document,
            "where": samples[k].where if samples[k].where >= 0 else None,
            "ids": list(samples[k].ids),
            "target": [samples[k].start, samples[k].stop],
            "sink": bool(acts.sinks[k]),
        }
        for k in kept
    ]
    index = {
        "schema": SCHEMA,
        "model": model,
        "take": take,
        "tensors": TENSORS,
        "sites": {site.name: size for site, size in zip(acts.sites, acts.widths, strict=True)},
        "samples": rows,
    }
    write_files(folder, {INDEX: json_text(index).encode(), TENSORS: tensor_bytes(tensors)})


def load_activations(folder: str | os.PathLike[str]) -> StoredActivations:
    """What was saved.

    Raises:
        ActmaxError: a file is missing, was changed, or the two do not belong together.
    """
    index = read_json(Path(folder) / INDEX, SCHEMA)
    tensors = read_tensors(Path(folder) / TENSORS)
    rows: list[dict[str, Any]] = index["samples"]
    if (
        any(len(tensor) != len(rows) for tensor in tensors.values())
        or tensors.keys() != index["sites"].keys()
    ):
        raise ActmaxError(
            f"{TENSORS} and {INDEX} in {str(folder)!r} do not belong together; make them again."
        )
    return StoredActivations(tensors, rows, str(index["take"]))
