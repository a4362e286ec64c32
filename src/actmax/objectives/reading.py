"""Which positions of a sequence may be read: not attention sinks, and not the first position of all.

Without BOS the first position of a sequence is a sink in most models, and a few frequent tokens turn into one
at some depths. What a unit says there is about being a sink.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from actmax.models.sites import Site
from actmax.objectives.objective import Readable, Reading
from actmax.shapes import Acts

SINK_MULTIPLE = 5.0
"""Times the median residual norm at the same depth."""


@dataclass(frozen=True)
class Sinks:
    """Positions with a residual norm above a multiple of the median."""

    site: Site
    """The residual stream that is looked at."""
    median: float
    """Its median norm over positions that are no sinks."""
    multiple: float = SINK_MULTIPLE

    def mask(self, residual: Acts) -> Bool[Tensor, "batch pos"]:
        """Where the norm exceeds the multiple of the median."""
        norm: Tensor = torch.linalg.vector_norm(residual.detach().float(), dim=-1)
        return norm > self.multiple * self.median


@dataclass(frozen=True)
class ReadingRule:
    """Which positions may be read."""

    sinks: Sinks | None = None
    """None reads sinks too."""
    first: bool = False
    """Read position 0 of the whole sequence, where neither BOS nor a prefix is in front."""

    @property
    def needs(self) -> frozenset[Site]:
        """The residual stream that is looked at."""
        return frozenset() if self.sinks is None else frozenset({self.sinks.site})

    def readable(self, reading: Reading) -> Readable:
        """The mask over the positions of a reading."""
        some = next(iter(reading.acts.values()))
        mask = torch.ones(some.shape[:2], dtype=torch.bool, device=some.device)
        if self.sinks is not None:
            mask = ~self.sinks.mask(reading.acts[self.sinks.site])
        if reading.past == 0 and not self.first:
            mask[:, 0] = False
        return mask
