"""Sites whose value is a function of another site's value: a dictionary's latents, and norms without gain.

Nothing outside :mod:`actmax.models` knows that a site is derived: it is resolved, read, streamed,
differentiated and edited like any other.

1. ``SITE.hook_sae_acts_post`` holds the latents of the dictionary that reads ``SITE``, and
   ``SITE.hook_sae_acts_pre`` their pre-activations. A second dictionary on one site is
   ``SITE.NAME.hook_sae_acts_post``.
2. An edit of latents becomes an edit of the site that the decoder writes: the difference that it makes is
   added, so what the dictionary does not explain (its error term) stays. A transcoder's edit is computed
   where it reads and added where its output goes.
3. Where a latent is off, the gate's gradient is zero; that of the pre-activation is given in its place.
4. ``blocks.L.ln1.hook_normalized`` and ``ln2`` are the residual stream normalised without the norm's gain, as
   transcoders of Gemma Scope 1 read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from actmax.dictionaries.dictionary import Dictionary
from actmax.errors import ActmaxError
from actmax.models.latents import latents_by_site
from actmax.models.model import Model
from actmax.models.sites import NORMALIZED, Site, site_named, tap
from actmax.models.taps import Edit
from actmax.shapes import Acts

Computed: TypeAlias = Float[Tensor, "batch pos computed"]
"""The value of a derived site, whose width may differ from that of its base."""


@dataclass(frozen=True)
class Expansion:
    """The sites of the model itself that are read and edited for some wanted sites."""

    sites: frozenset[Site]
    edits: Mapping[Site, Edit]
    """The edits, by site of the model."""


def base_of(model: Model, site: Site) -> Site:
    """The site of the model itself from which a site's value is computed: itself, unless it is derived."""
    latents = latents_by_site(model).get(site.name)
    if latents is not None:
        return base_of(model, site_named(latents.dictionary.reads))
    if site.kind in NORMALIZED:
        kind = "hook_resid_pre" if site.kind == NORMALIZED[0] else "hook_resid_mid"
        return Site(f"blocks.{site.layer}.{kind}", site.layer)
    return site


def derive(model: Model, site: Site, value: Acts) -> Computed:
    """A site's value, from the value of its :func:`base_of` (the same value, unless the site is derived)."""
    latents = latents_by_site(model).get(site.name)
    if latents is not None:
        dictionary = latents.dictionary
        x = _as(dictionary, derive(model, site_named(dictionary.reads), value))
        return dictionary.preactivations(x) if latents.before_gate else _gated(dictionary, x)
    return _normalized(model, value) if site.kind in NORMALIZED else value


def _gated(dictionary: Dictionary, x: Acts) -> Computed:
    """The latents; where one is off and a gradient is wanted, that of its pre-activation.

    The gate's own gradient is zero there, and a search would have nowhere to go.
    """
    z = dictionary.encode(x)
    if not (torch.is_grad_enabled() and x.requires_grad):
        return z
    h = dictionary.preactivations(x)
    return z + torch.where(z == 0, h - h.detach(), 0)


def _normalized(model: Model, value: Acts) -> Acts:
    """``x / sqrt(mean(x²) + ε)``, of ``x - mean(x)`` where the model's norms are LayerNorms."""
    norm = model.net.get_submodule(tap(model, Site("blocks.0.hook_resid_mid", 0)).module)
    epsilon = getattr(norm, "variance_epsilon", None) or getattr(norm, "eps", None)
    if epsilon is None:
        raise ActmaxError(f"{model.name} does not say with which epsilon it normalises; read another site.")
    x = value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if isinstance(norm, torch.nn.LayerNorm):
        x = x - x.mean(dim=-1, keepdim=True)
    scaled: Acts = x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + epsilon)
    return scaled.to(value.dtype)


def expand(model: Model, sites: Iterable[Site], edits: Mapping[Site, Edit]) -> Expansion:
    """The sites of the model itself that have to be read, and what edits of derived sites do to them.

    Raises:
        ActmaxError: an edit of a derived site that cannot be written back.
    """
    base = frozenset(base_of(model, site) for site in sites)
    found: dict[Site, Edit] = {}
    for site, edit in edits.items():
        for place, change in _written(model, site, edit).items():
            found[place] = _in_turn(found[place], change) if place in found else change
    return Expansion(base, found)


def _written(model: Model, site: Site, edit: Edit) -> Mapping[Site, Edit]:
    latents = latents_by_site(model).get(site.name)
    if latents is None:
        if site.kind in NORMALIZED:
            raise ActmaxError(
                f"The value of {site} is computed and read by no module, so it cannot be edited;"
                " edit the site before it."
            )
        return {site: edit}
    if latents.before_gate:
        raise ActmaxError(f"Pre-activations cannot be edited; edit the latents: {latents.owner}:INDEX.")
    dictionary = latents.dictionary
    reads, writes = site_named(dictionary.reads), site_named(dictionary.writes)
    if not dictionary.is_transcoder:
        return {writes: lambda x: x + _difference(dictionary, x, edit).to(x)}
    made: list[Tensor] = []

    def reading(value: Acts) -> Acts:
        made.append(_difference(dictionary, derive(model, reads, value), edit))
        return value

    return {base_of(model, reads): reading, writes: lambda y: y + made.pop().to(y)}


def _difference(dictionary: Dictionary, x: Acts, edit: Edit) -> Tensor:
    x = _as(dictionary, x)
    z = dictionary.encode(x)
    return dictionary.edit(x, z, edit(z))


def _in_turn(first: Edit, second: Edit) -> Edit:
    return lambda value: second(first(value))


def _as(dictionary: Dictionary, x: Acts) -> Acts:
    """In the precision of the dictionary: half precision would round the thresholds."""
    return x.to(dictionary.W_enc.dtype)


def shown(
    model: Model, sites: Iterable[Site], see: Callable[[Site, Acts], None]
) -> Callable[[Site, Acts], None]:
    """A receiver of the model's own sites that passes on every wanted site, derived ones too."""
    wanted: dict[Site, list[Site]] = {}
    for site in dict.fromkeys(sites):
        wanted.setdefault(base_of(model, site), []).append(site)

    def show(base: Site, value: Acts) -> None:
        for site in wanted[base]:
            see(site, value if site == base else derive(model, site, value))

    return show
