"""From a path to a dictionary: find the files, recognise the format, check the tensors, fold the norms."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from actmax.dictionaries import formats as room
from actmax.dictionaries.dictionary import Dictionary, fold_decoder_norms
from actmax.dictionaries.files import PICKLES, Folder
from actmax.errors import ActmaxError

HUB = "hf:"


@runtime_checkable
class DictionaryFormat(Protocol):
    """The interface of a file of ``dictionaries/formats``."""

    NAME: str

    def recognises(self, folder: Folder) -> bool:
        """Whether a folder holds this format."""

    def dictionary_of(self, folder: Folder) -> Dictionary:
        """Read it."""


@cache
def dictionary_formats() -> Mapping[str, DictionaryFormat]:
    """Every format in the folder ``formats``, by its name."""
    modules = (
        importlib.import_module(f"{room.__name__}.{info.name}")
        for info in pkgutil.iter_modules(room.__path__)
    )
    return {module.NAME: cast(DictionaryFormat, module) for module in modules}


def load_dictionary(path: str | os.PathLike[str], *, fold: bool = True) -> Dictionary:
    """Read a sparse autoencoder or transcoder.

    Args:
        path: a folder, one of its files, or ``hf:REPO/PATH`` for a folder of a hub repository.
        fold: whether decoder norms are folded into the encoder, as Neuronpedia shows latents.

    Raises:
        ActmaxError: nothing is there, the format is unknown or cannot be read, or the tensors do not fit.
    """
    given = os.fspath(path)
    folder = _folder(given)
    made = replace(_read(folder), location=given, sha256=folder.sha256())
    return fold_decoder_norms(made) if fold else made


def _folder(given: str) -> Folder:
    place = _from_hub(given) if given.startswith(HUB) else Path(given).expanduser()
    if place.is_dir():
        return Folder(place, given)
    if not place.is_file():
        raise ActmaxError(f"There is no dictionary at {given!r}; give its folder, or {HUB}REPO/PATH.")
    if place.suffix.lower() in PICKLES:
        raise _pickled(place.name)
    return Folder(place.parent, str(Path(given).parent), only=place.name)


def _read(folder: Folder) -> Dictionary:
    found = [one for one in dictionary_formats().values() if one.recognises(folder)]
    if len(found) == 1:
        return found[0].dictionary_of(folder)
    names = list(folder.names())
    pickled = next((name for name in names if Path(name).suffix.lower() in PICKLES), None)
    if pickled is not None:
        raise _pickled(pickled)
    if not names:
        raise ActmaxError(f"The folder {folder.given!r} is empty; give the folder of a dictionary.")
    known = ", ".join(dictionary_formats())
    raise ActmaxError(
        f"The files of {folder.given!r} ({', '.join(names)[:200]}) are not a dictionary of a known format "
        f"({known})."
    )


def _pickled(name: str) -> ActmaxError:
    return ActmaxError(
        f"{name!r} is a pickle, which actmax never opens; convert it once with: "
        f"safetensors.torch.save_file(torch.load({name!r}, weights_only=True), 'sae.safetensors')."
    )


def _from_hub(given: str) -> Path:
    """The folder of a hub repository, fetched into the hub's own cache (files of that folder alone)."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    owner, repo, *inside = [*given.removeprefix(HUB).strip("/").split("/"), ""]
    path = "/".join(part for part in inside if part)
    if not repo:
        raise ActmaxError(f"{given!r} is not {HUB}OWNER/REPO/PATH.")
    try:
        root = snapshot_download(
            f"{owner}/{repo}", allow_patterns=[f"{path}/**", f"{path}*"] if path else None
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ActmaxError(
            f"{given!r} cannot be fetched ({reason}); check the name and the network."
        ) from None
    return Path(root) / path
