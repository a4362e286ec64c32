"""The result of ``dictionary``: does an autoencoder or a transcoder fit this model on real text?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from actmax.results.manifest import Manifest
from actmax.results.saving import Saved
from actmax.results.shown import Beside, Count, Shown

SCHEMA = "actmax.dictionary/1"
MOST_FVU = 1.0
"""A reconstruction that explains less than the mean does is no reconstruction."""
MOST_L0_RATIO = 3.0


@dataclass(frozen=True)
class Elsewhere:
    """The same dictionary at another site."""

    site: Annotated[str, Shown("site", "where it was tried")]
    fvu: Annotated[float, Shown("FVU", "fraction of the variance that it leaves unexplained there", ".3f")]
    l0: Annotated[float, Shown("L0", "latents that are on at a position there", ".1f")]


@dataclass(frozen=True)
class DictionaryResult(Saved):
    """What a dictionary's file says, and what it does on real text."""

    schema: ClassVar[str] = SCHEMA

    name: str
    """As units write it: ``sae`` in ``sae:5``."""
    format: Annotated[str, Shown("format", "of its file")]
    location: str
    """As the user gave it."""
    sha256: str
    """Hash of the hashes of its files."""
    model: str
    reads: Annotated[str, Shown("reads", "the site whose value is encoded")]
    writes: Annotated[str, Shown("writes", "the site that the decoder reconstructs")]
    latents: Annotated[Count, Shown("latents", "how many units it has", "count")]
    gate: Annotated[str, Shown("gate", "what decides which latents are on")]
    folded: Annotated[bool, Shown("norms folded", "whether latents are scaled by their decoder's norm")]
    expected_l0: Annotated[float | None, Shown("L0 by its file", "latents that should be on", ".1f")]
    l0: Annotated[float, Shown("L0", "latents that are on at a position, on average", ".1f")]
    fvu: Annotated[
        float, Shown("FVU", "fraction of the variance about the mean that it leaves unexplained", ".3f")
    ]
    dead: Annotated[float, Shown("never on", "share of the latents that were on at no position", "percent")]
    positions: Annotated[Count, Shown("positions", "that were read, without sinks and position 0", "count")]
    corpus: str
    fits: bool
    conclusion: tuple[str, ...]
    """Sentences: whether it fits, and if not, the likely causes."""
    manifest: Annotated[Manifest, Beside()]
    elsewhere: tuple[Elsewhere, ...] = ()
    """The same numbers at neighbouring sites, where it does not fit."""
