"""The median residual norm of a corpus, by which :mod:`actmax.models.sinks` recognises a sink."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from actmax.corpus.windows import Windows
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sinks import SINK_MULTIPLE, Sinks, residual_norm
from actmax.models.sites import Site

_CALIBRATION_TOKENS = 2048


def calibrate(
    model: Model, windows: Windows, residuals: Iterable[Site], *, multiple: float = SINK_MULTIPLE
) -> Mapping[Site, Sinks]:
    """The rule for some residual sites, from the median norm over about 2,048 tokens spread over the corpus.

    It is deterministic for given windows. Where results have to be equal to the byte on another machine,
    store the medians with them.
    """
    sites = frozenset(residuals)
    if not sites:
        return {}
    wanted = max(1, min(windows.n_windows, _CALIBRATION_TOKENS // windows.length))
    norms: dict[Site, list[Tensor]] = {site: [] for site in sites}
    for k in range(wanted):
        at = k * windows.n_windows // wanted
        batch = windows.batch(at, at + 1)
        with torch.no_grad():
            acts = read(model, sites, ids=batch.ids.to(model.device))
        for site in sites:
            norms[site].append(residual_norm(acts[site]).cpu()[batch.valid])
    return {site: Sinks(site, float(torch.cat(found).median()), multiple) for site, found in norms.items()}


def nothing_left(corpus: str) -> ActmaxError:
    """The error for a corpus of which every position is left out."""
    return ActmaxError(
        f"No position of {corpus!r} is left to observe: all are position 0 or sinks; give more text, or"
        " --include-sinks."
    )
