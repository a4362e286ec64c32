"""``actmax.load``: a model, and the dictionaries whose latents are its units."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import torch

from actmax.api.dictionary import load_with_dictionaries
from actmax.errors import ActmaxError
from actmax.models.load import load_model
from actmax.models.model import Model
from actmax.progress import Progress, silent


def load(
    name: str | os.PathLike[str] | None = None,
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "float32",
    revision: str | None = None,
    dictionaries: Mapping[str, str | os.PathLike[str]] | None = None,
    fold: bool = True,
    unchecked: bool = False,
    progress: Progress = silent,
) -> Model:
    """A language model, frozen, with its tokenizer.

    Args:
        name: None or ``smollm2-135m`` for the default model (fetched on first use); a directory with
            ``config.json``, ``model.safetensors`` and a tokenizer; a ``.gguf`` file; else a hub name.
        device: ``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        dtype: ``float32``, ``float64``, ``bfloat16`` or ``float16``.
        revision: branch, tag or commit, for hub names.
        dictionaries: name to a sparse autoencoder or transcoder (a folder, a file, or ``hf:REPO/PATH``); its
            latents are the units ``NAME:INDEX``.
        fold: whether decoder norms are folded into encoders, as Neuronpedia shows latents.
        unchecked: use dictionaries although they do not fit the model on real text.
        progress: called with how far fetching, converting and checking are.

    Raises:
        ActmaxError: the model or a dictionary cannot be found, read or trusted; the sentence says what to do.
    """
    model = load_model(name, device=device, dtype=dtype, revision=revision, progress=progress)
    if not dictionaries:
        return model
    return load_with_dictionaries(model, dictionaries, unchecked=unchecked, fold=fold, progress=progress)


def named_paths(given: Iterable[str]) -> dict[str, str]:
    """``NAME=PATH`` as name to path; the name is ``sae`` where none is given.

    Raises:
        ActmaxError: two dictionaries have one name.
    """
    found: dict[str, str] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not equals or not name.isidentifier():
            name, path = "sae", one
        if name in found:
            raise ActmaxError(
                f"Two dictionaries are named {name!r} ({found[name]!r} and {path!r}); name one of them: "
                f"--dictionary other={path}."
            )
        found[name] = path
    return found
