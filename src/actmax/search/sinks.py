"""The sink rule of a search: the median residual norm at the unit's depth, from random sequences.

Where a corpus was observed, its median is the better one and can be given instead.
"""

from __future__ import annotations

import torch

from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sinks import Sinks, residual_at, residual_norm
from actmax.models.sites import Site
from actmax.rng import stream

_ROWS, _LENGTH = 32, 24
_STREAM = 2**31 + 1


@torch.no_grad()
def sinks_at(model: Model, site: Site, tokens: TokenSpace) -> Sinks | None:
    """Sinks for units of a site, calibrated on random sequences of allowed tokens after BOS.

    Position 0 and the position after it are not part of the median (both may be sinks).

    Returns:
        None for the embedding, which has no residual stream to look at.
    """
    residual = residual_at(model, site)
    if residual is None:
        return None
    length = min(_LENGTH, model.context - len(tokens.frame.before))
    ids = tokens.allowed.ids
    rows = ids[torch.randint(len(ids), (_ROWS, length), generator=stream(0, _STREAM))]
    head = torch.tensor([tokens.frame.before], dtype=torch.long).expand(_ROWS, -1)
    value = read(model, [residual], ids=torch.cat([head, rows], dim=1).to(model.device))[residual]
    norms = residual_norm(value[:, min(2, value.shape[1] - 1) :])
    return Sinks(residual, float(norms.median()))
