"""What many sites give on many samples, one number for each unit and sample.

1. Samples are read with BOS in front, in batches. ``packed``: a batch holds sequences of one length only, so
   there is no padding at all. ``padded``: sequences of neighbouring lengths, zeros at the end. The models are
   causal and positions count from the left, so what stands at the end changes nothing before it; the padded
   positions are never looked at. Both give what reading one sample at a time gives, to rounding.
2. All sites are read in one pass, no deeper than the deepest, and only the target's value is kept: its last
   token (by default), its first, or the mean over it.
3. The residual norm at the target is looked at in every block that is read: a sample whose norm exceeds
   five times the median of all samples there is an attention sink, not an example of anything.

The samples are read in an order that is shuffled in blocks, so that a reading that is stopped is a fair draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sinks import SINK_MULTIPLE, residual_norm, residuals_of
from actmax.models.sites import LOGITS, Site, width
from actmax.progress import Progress, silent
from actmax.selectivity.sample import Sample
from actmax.selectivity.settings import Batching, Take
from actmax.shapes import Acts, Ids

TOKENS_AT_ONCE = 640
"""Positions of a batch: with every MLP of a model read at once, more would be hundreds of megabytes."""

_BLOCK = 256
"""Samples that are sorted by length at a time."""


@dataclass(frozen=True)
class Activations:
    """The targets' values: one row a sample, the sites side by side."""

    values: Float32[np.ndarray, "samples units"]
    sites: tuple[Site, ...]
    widths: tuple[int, ...]
    done: Bool[np.ndarray, " samples"]
    """False for samples that were not read because the user stopped."""
    sinks: Bool[np.ndarray, " samples"]
    """Samples whose target is an attention sink at one of the depths."""

    @property
    def complete(self) -> bool:
        """Whether every sample was read."""
        return bool(self.done.all())

    @property
    def site_of(self) -> Int[np.ndarray, " units"]:
        """The number of each unit's site."""
        return np.repeat(np.arange(len(self.sites)), self.widths)

    def bounds(self, site: int) -> slice:
        """The columns of a site."""
        begin = sum(self.widths[:site])
        return slice(begin, begin + self.widths[site])

    def name(self, unit: int) -> str:
        """A column as ``SITE:INDEX``."""
        site = int(self.site_of[unit])
        return f"{self.sites[site].name}:{unit - self.bounds(site).start}"


def extract(
    model: Model,
    samples: Sequence[Sample],
    sites: Sequence[Site],
    *,
    bos: int | None = None,
    take: Take = "last",
    batching: Batching = "packed",
    rng: np.random.Generator | None = None,
    progress: Progress = silent,
) -> Activations:
    """Run the model over the samples and keep every site at the targets.

    Ctrl-C ends the reading; what was read is marked as ``done``.

    Args:
        model: in eval mode.
        samples: what to read.
        sites: in the order in which their units are numbered.
        bos: the id in front of every sample, or None.
        take: the token that stands for a target of several.
        batching: equal lengths in a batch, or padding on the right.
        rng: shuffles the order of reading; None leaves it.
        progress: called with the samples read, under ``"reading"``.

    Raises:
        ActmaxError: a sample is longer than the model's context, or a value is not finite.
        KeyboardInterrupt: stopped before the first batch.
    """
    if take not in get_args(Take):
        raise ActmaxError(f"Unknown token {take!r}; choose last, first or mean.")
    widths = tuple(width(model, site) for site in sites)
    depths = residuals_of(model, sites)
    values = np.zeros((len(samples), sum(widths)), dtype=np.float32)
    norms = np.zeros((len(samples), len(depths)), dtype=np.float32)
    done = np.zeros(len(samples), dtype=bool)
    wanted = frozenset(sites) | frozenset(depths)
    at_once = TOKENS_AT_ONCE // 8 if any(site.name == LOGITS for site in sites) else TOKENS_AT_ONCE
    order = np.arange(len(samples)) if rng is None else rng.permutation(len(samples))
    try:
        for rows in batches([len(sample.ids) for sample in samples], order, at_once, batching):
            chosen = [samples[k] for k in rows]
            with torch.inference_mode():
                acts = read(model, wanted, ids=stacked(chosen, bos).to(model.device))
                begin = 0
                for site, size in zip(sites, widths, strict=True):
                    values[rows, begin : begin + size] = at_target(acts[site], chosen, bos, take)
                    begin += size
                for k, depth in enumerate(depths):
                    norm = residual_norm(acts[depth])[..., None]
                    norms[rows, k] = at_target(norm, chosen, bos, "last")[:, 0]
            _check_finite(values[rows], chosen, model)
            done[rows] = True
            progress("reading", int(done.sum()), len(samples))
    except KeyboardInterrupt:
        if not done.any():
            raise
    sinks = np.zeros(len(samples), dtype=bool)
    if done.any() and depths:
        sinks = done & (norms > SINK_MULTIPLE * np.median(norms[done], axis=0)).any(axis=1)
    return Activations(values, tuple(sites), widths, done, sinks)


def batches(
    lengths: Sequence[int], order: Int[np.ndarray, " samples"], tokens_at_once: int, batching: Batching
) -> Iterator[list[int]]:
    """The samples in batches of about ``tokens_at_once`` positions, each sample once.

    Within every 256 samples of ``order`` they are sorted by length; a ``packed`` batch ends where the length
    changes.
    """
    for start in range(0, len(order), _BLOCK):
        block = sorted(order[start : start + _BLOCK].tolist(), key=lambda k: lengths[k])
        batch: list[int] = []
        for k in block:
            full = (len(batch) + 1) * (lengths[k] + 1) > tokens_at_once
            if batch and (full or (batching == "packed" and lengths[k] != lengths[batch[0]])):
                yield batch
                batch = []
            batch.append(k)
        if batch:
            yield batch


def stacked(samples: Sequence[Sample], bos: int | None) -> Ids:
    """``[batch, pos]``: BOS, the sample's tokens, and zeros at the end of the shorter ones."""
    head = [] if bos is None else [bos]
    longest = max(len(sample.ids) for sample in samples)
    rows = [[*head, *sample.ids, *[0] * (longest - len(sample.ids))] for sample in samples]
    return torch.tensor(rows, dtype=torch.long)


def at_target(
    value: Acts, samples: Sequence[Sample], bos: int | None, take: Take
) -> Float[np.ndarray, "batch width"]:
    """A site's value at each sample's target, in float32."""
    shift = int(bos is not None)
    rows = torch.arange(len(samples), device=value.device)
    if take == "mean":
        picked = torch.stack(
            [value[k, s.start + shift : s.stop + shift].float().mean(dim=0) for k, s in enumerate(samples)]
        )
    else:
        at = [(s.stop - 1 if take == "last" else s.start) + shift for s in samples]
        picked = value[rows, torch.tensor(at, device=value.device)].float()
    result: Tensor = picked.cpu()
    return result.numpy()


def _check_finite(
    values: Float32[np.ndarray, "batch units"], samples: Sequence[Sample], model: Model
) -> None:
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        text = samples[int(np.flatnonzero(bad)[0])].text
        raise ActmaxError(
            f"{model.name} gives values that are not finite (NaN) at {text!r} in"
            f" {str(model.dtype).removeprefix('torch.')}; use --dtype float32, or leave that sample out."
        )
