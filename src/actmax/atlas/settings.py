"""How an atlas is built, as settings; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from actmax.observation.settings import ExampleSettings
from actmax.settings import UNRECORDED, Option


@dataclass(frozen=True, kw_only=True)
class BuildSettings(ExampleSettings):
    """The settings of ``atlas build``."""

    sites: Annotated[Sequence[str], Option(short="-s", metavar="PATTERN")] = ()
    """Sites to record, such as 'blocks.3.*'; may be given again. Without it: MLP neurons, residual stream, q,
    k, v, z, attention and MLP outputs of all blocks."""
    max_tokens: Annotated[int | None, Ge(0)] = 0
    """Tokens to read, in windows spread over the corpus; 0 for all."""
    resume: Annotated[bool, UNRECORDED] = False
    """Continue what DIR holds."""
    save_every: Annotated[float, UNRECORDED, Ge(0), Option(panel="Output", metavar="SECONDS")] = 120.0
    """Time between two saves."""
