"""Attention sinks, recognised by the norm of the residual stream.

Some positions carry a residual stream whose norm is tens or hundreds of times that of the others, nearly all
of it in a few dimensions and nearly the same whatever the token (Sun et al. 2024, *Massive Activations in
Large Language Models*, arXiv:2402.17762): position 0, punctuation runs right after BOS, and in some blocks a
few frequent tokens. What a unit says there is about being a sink. They are left out of observation unless
asked for, and counted.

1. The residual stream of a unit's own depth is looked at: after the unit's block (before it, for
   ``hook_resid_pre``); at the last block for the final norm and the logits; nowhere for the embedding.
2. :func:`calibrate` takes the median norm over valid positions of a few windows, once, so that whether a
   position is a sink never depends on what else is in its batch.
3. A position is a sink where its norm exceeds :data:`MULTIPLE` times that median. In SmolLM2-135M nearly
   all positions stay below twice the median, and sinks lie between 7 and 180 times it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from actmax.corpus.windows import Windows
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sites import Site
from actmax.shapes import Acts

MULTIPLE = 5.0
"""Times the median norm at the same depth."""

_CALIBRATION_TOKENS = 2048


@dataclass(frozen=True)
class SinkRule:
    """What counts as a sink at each depth that is looked at."""

    medians: Mapping[Site, float]
    """Median norm of each residual site; the sites have to be read along with the units."""
    multiple: float = MULTIPLE

    def mask(self, acts: Mapping[Site, Acts], residual: Site | None) -> Bool[Tensor, "batch pos"] | None:
        """True at sinks of one depth; None where there is none to look at."""
        if residual is None:
            return None
        return sink_mask(acts[residual], self.medians[residual], self.multiple)


def sink_mask(residual: Acts, median: float, multiple: float = MULTIPLE) -> Bool[Tensor, "batch pos"]:
    """Where the L2 norm of the residual stream ``[batch, pos, d_model]`` exceeds ``multiple * median``."""
    norm: Tensor = torch.linalg.vector_norm(residual.float(), dim=-1)
    return norm > multiple * median


def calibrate(
    model: Model, windows: Windows, residuals: Iterable[Site], *, multiple: float = MULTIPLE
) -> SinkRule:
    """The rule for some residual sites, from the median norm over about 2,048 tokens spread over the corpus.

    Deterministic for given windows; where results have to be equal to the byte on another machine, keep the
    medians with them.
    """
    sites = frozenset(residuals)
    if not sites:
        return SinkRule({}, multiple)
    wanted = max(1, min(windows.n_windows, _CALIBRATION_TOKENS // windows.length))
    norms: dict[Site, list[Tensor]] = {site: [] for site in sites}
    for k in range(wanted):
        at = k * windows.n_windows // wanted
        batch = windows.batch(at, at + 1)
        with torch.no_grad():
            acts = read(model, sites, ids=batch.ids.to(model.device))
        for site in sites:
            norm = torch.linalg.vector_norm(acts[site].float(), dim=-1).cpu()
            norms[site].append(norm[batch.valid])
    return SinkRule({site: float(torch.cat(found).median()) for site, found in norms.items()}, multiple)


def nothing_left(corpus: str) -> ActmaxError:
    """The error for a corpus of which every position is left out."""
    return ActmaxError(
        f"No position of {corpus!r} is left to observe: all are position 0 or sinks; give more text, or"
        " --include-sinks."
    )
