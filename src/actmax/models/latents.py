"""The names under which a model's dictionaries offer their latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actmax.dictionaries.dictionary import Dictionary
from actmax.models.model import Model

POST, PRE = "hook_sae_acts_post", "hook_sae_acts_pre"


@dataclass(frozen=True)
class Latents:
    """The latents of one dictionary, after or before the gate."""

    owner: str
    """The dictionary's name in units: ``sae`` in ``sae:5``."""
    dictionary: Dictionary
    site: str
    """Canonical: ``blocks.8.hook_resid_post.hook_sae_acts_post``."""
    before_gate: bool = False

    @property
    def unit_prefix(self) -> str:
        """The text before the colon in a unit: ``sae``, or ``sae.pre`` before the gate."""
        return f"{self.owner}.pre" if self.before_gate else self.owner


def latents_by_site(model: Model) -> Mapping[str, Latents]:
    """From the canonical name of a derived site to the latents that it holds.

    The first dictionary that reads a site has the plain name; a further one has its own name in it.
    """
    found: dict[str, Latents] = {}
    for owner, dictionary in model.dictionaries:
        plain = f"{dictionary.reads}.{POST}" not in found
        stem = dictionary.reads if plain else f"{dictionary.reads}.{owner}"
        for last, before in ((POST, False), (PRE, True)):
            name = f"{stem}.{last}"
            found[name] = Latents(owner, dictionary, name, before)
    return found


def latents_by_unit(model: Model) -> Mapping[str, Latents]:
    """From ``NAME`` and ``NAME.pre`` to the latents that they mean in a unit."""
    return {latents.unit_prefix: latents for latents in latents_by_site(model).values()}
