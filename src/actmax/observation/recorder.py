"""Recording every unit of many sites in one pass over the windows.

1. The model runs; each site's value is summarised when it comes by (:func:`actmax.models.read.watch`).
   A block's values wait until its output is known, because the output decides which positions are sinks there
   (:mod:`actmax.models.sinks`); they are then still in the processor's cache. Nothing else is held.
2. Batches are the same windows every time (window ``k * at_once`` and those after it): a matrix product's
   last bits depend on how many rows it has, so a run that was stopped and resumed has to use the same
   batches.

Memory is that of the summaries, whatever the corpus: about 1.6 KB per unit for top-20 at both ends.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from actmax.corpus.windows import Batch
from actmax.models.model import Model
from actmax.models.read import watch
from actmax.models.sinks import Sinks, residual_at
from actmax.models.sites import Site, width
from actmax.observation.kept import Kept
from actmax.observation.summary import EVERY, Buffers, SiteSummary
from actmax.shapes import Acts

SinkRule: TypeAlias = Mapping[Site, Sinks] | None
"""What a sink is at each residual site; None includes sinks."""

AT_ONCE = 16
"""Windows of a batch: fewer look up an example more often, more do not stay in the processor's cache."""


@dataclass
class Recorder:
    """Summaries of some sites, fed batch after batch. Make one with :func:`recorder`."""

    model: Model
    sites: tuple[Site, ...]
    rule: SinkRule
    """What a sink is at each depth; None includes them."""
    summaries: dict[Site, SiteSummary]
    sinks: dict[Site, int] = field(default_factory=dict)
    """Valid positions that were sinks, by residual site."""
    _buffers: Buffers = field(default_factory=Buffers)

    def record(self, batch: Batch) -> None:
        """Run the model over some windows and take in what its units do.

        Raises:
            ActmaxError: an activation is not finite.
        """
        device = self.model.device
        valid, where, document = (t.to(device) for t in (batch.valid, batch.where, batch.document))
        plain = Kept(valid, where, document)
        known: dict[Site, Kept] = {}
        alike: dict[bytes, Kept] = {}
        held: dict[Site, list[tuple[Site, Acts]]] = {}
        wanted = frozenset(self.sites)

        def kept_at(residual: Site, acts: Acts) -> Kept:
            assert self.rule is not None  # noqa: S101 - residuals are looked at only where there is a rule
            sinks = self.rule[residual].mask(acts) & valid
            count = int(sinks.sum())
            self.sinks[residual] = self.sinks.get(residual, 0) + count
            if not count:
                return plain
            key = sinks.cpu().numpy().tobytes()
            if key not in alike:
                alike[key] = Kept(valid & ~sinks, where, document)
            return alike[key]

        def see(site: Site, acts: Acts) -> None:
            residual = self._residual(site)
            if site in self._residuals and site not in known:
                known[site] = kept_at(site, acts)
                for waiting, value in held.pop(site, ()):
                    self.summaries[waiting].update(value, known[site], self._buffers)
            if site not in wanted:
                return
            if residual is None:
                self.summaries[site].update(acts, plain, self._buffers)
            elif residual in known:
                self.summaries[site].update(acts, known[residual], self._buffers)
            else:
                held.setdefault(residual, []).append((site, acts))

        with torch.inference_mode():
            watch(self.model, (*self.sites, *self._residuals), see, ids=batch.ids.to(device))

    @property
    def _residuals(self) -> Mapping[Site, Sinks]:
        return self.rule or {}

    def _residual(self, site: Site) -> Site | None:
        return None if self.rule is None else residual_at(self.model, site)

    def state(self) -> dict[str, Tensor]:
        """All summaries as tensors, named by site."""
        found = {
            f"{site.name}/{name}": tensor
            for site, summary in self.summaries.items()
            for name, tensor in summary.state().items()
        }
        found |= {f"sinks/{site.name}": torch.tensor(count) for site, count in self.sinks.items()}
        return found


def recorder(
    model: Model, sites: Sequence[Site], rule: SinkRule, *, top: int = 20, every: int = EVERY
) -> Recorder:
    """A recorder that has seen nothing yet.

    Args:
        model: whose units are recorded.
        sites: all their units.
        rule: from :func:`actmax.corpus.sinks.calibrate` for the residual sites of these, or None to
            keep sinks.
        top: examples at either end, one per document.
        every: the histogram counts one position in this many.
    """
    summaries = {
        site: SiteSummary.empty(width(model, site), top, every=every, device=model.device) for site in sites
    }
    return Recorder(model, tuple(sites), rule, summaries)


def recorder_of(
    model: Model,
    sites: Sequence[Site],
    rule: SinkRule,
    state: Mapping[str, Tensor],
    every: int = EVERY,
) -> Recorder:
    """The recorder with this :meth:`Recorder.state`."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        site, _, part = name.partition("/")
        parts.setdefault(site, {})[part] = tensor.to(model.device)
    sinks = parts.pop("sinks", {})
    summaries = {site: SiteSummary.of_state(parts[site.name], every) for site in sites}
    named = {site.name: site for site in rule or ()}
    return Recorder(
        model, tuple(sites), rule, summaries, {named[name]: int(count) for name, count in sinks.items()}
    )


def keep_memory() -> bool:
    """Ask glibc to keep what the model frees for its next tensors, instead of giving it back to the system.

    A forward pass makes and drops hundreds of megabytes; by default each large tensor is mapped anew, and the
    system clears its pages first. Sets the malloc thresholds of this process. False where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    trim, mapped = -1, -3
    return bool(mallopt(mapped, 1 << 30)) and bool(mallopt(trim, (1 << 31) - 1))
