"""Which positions of a sequence may be read: not attention sinks, and not the first position of all.

Without BOS the first position of a sequence is a sink in most models, and a few frequent tokens turn into one
at some depths. What a unit says there is about being a sink.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from actmax.models.sinks import Sinks
from actmax.models.sites import Site
from actmax.objectives.objective import Readable, Reading


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
