"""Attaching dictionaries to a model, so that their latents are units like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from actmax.dictionaries.dictionary import Dictionary
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import list_sites, resolve_site, width

_MOST_NAMED = 6


def with_dictionaries(model: Model, dictionaries: Mapping[str, Dictionary]) -> Model:
    """The same model with the latents of some dictionaries as units ``NAME:INDEX``.

    Args:
        model: unchanged; its weights are shared.
        dictionaries: by the name that their units begin with.

    Raises:
        ActmaxError: a name that is in use or not a word, a site that the model lacks, or a width that does
            not fit; the sentence names sites that would.
    """
    found = list(model.dictionaries)
    for name, dictionary in dictionaries.items():
        if not name.isidentifier() or name in dict(found) or name in list_sites(model):
            raise ActmaxError(
                f"{name!r} cannot name a dictionary; give a word that is not in use: "
                f"--dictionary NAME={dictionary.location}."
            )
        found.append((name, _fitted(model, name, dictionary)))
    return replace(model, dictionaries=tuple(found))


def _fitted(model: Model, name: str, dictionary: Dictionary) -> Dictionary:
    reads, writes = (resolve_site(model, site) for site in (dictionary.reads, dictionary.writes))
    for verb, site, size in (("reads", reads, dictionary.d), ("writes", writes, dictionary.W_dec.shape[1])):
        have = width(model, site)
        if have != size:
            fitting = [other for other, wide in list_sites(model).items() if wide == size]
            hint = f"sites of that width: {', '.join(fitting[:_MOST_NAMED])}" if fitting else "no site is"
            raise ActmaxError(
                f"The dictionary {name!r} {verb} {size} numbers at {site}, which is {have} wide in "
                f"{model.name}; {hint}. It was trained on another model or another site."
            )
    precise = model.dtype if model.dtype in (torch.float32, torch.float64) else torch.float32
    return replace(dictionary, reads=reads.name, writes=writes.name).to(model.device, precise)
