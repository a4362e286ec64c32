"""Running the model to the deepest site that is asked for, and no further.

1. Hook every wanted site.
2. Run the model. The hook that sees the last wanted value ends the forward pass there, so nothing beyond the
   deepest site is computed; logits are computed only when ``unembed.hook_logits`` is wanted.
3. Return the values. Whether a graph is kept is the caller's choice (``torch.no_grad`` around evaluation);
   the weights never ask for a gradient.

A prefix that all sequences share (BOS, a prompt) is run once by :func:`read_prefix` and continued from its
keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from actmax.errors import ActmaxError
from actmax.models.derived import Expansion, base_of, derive, expand, shown
from actmax.models.model import Model
from actmax.models.sites import EMBED, LOGITS, Site, tap
from actmax.models.taps import Edit, attach, carry_on
from actmax.models.text import check_ids
from actmax.shapes import Acts, Embeds, Ids


class _Stop(Exception):  # noqa: N818 - not an error: it ends the forward pass
    """Ends the forward pass when every wanted value has been seen."""


@dataclass(frozen=True)
class Prefix:
    """A shared beginning, run once to the depth of ``sites``."""

    ids: Ids
    """``[1, pos]``"""
    sites: frozenset[Site]
    keys_values: tuple[tuple[Tensor, Tensor], ...]
    """For each block that was run, ``[1, head, pos, d_head]``."""
    acts: Mapping[Site, Acts]
    """The sites' values on the prefix itself, ``[1, pos, width]``."""

    def cache(self, model: Model, batch: int) -> DynamicCache:
        """A fresh cache for ``batch`` continuations (the model appends to it)."""
        cache = _cache()
        for layer, (keys, values) in enumerate(self.keys_values):
            cache.update(keys.expand(batch, -1, -1, -1), values.expand(batch, -1, -1, -1), layer)
        return cache


def read(
    model: Model,
    sites: Iterable[Site],
    *,
    ids: Ids | None = None,
    embeds: Embeds | None = None,
    prefix: Prefix | None = None,
    edits: Mapping[Site, Edit] | None = None,
) -> dict[Site, Acts]:
    """The values of some sites on token ids or on embeddings.

    Args:
        model: runs in the mode that the caller chose (graph or no graph).
        sites: what to read; the model runs no deeper than the deepest of them and the edits' sites.
        ids: ``[batch, pos]`` token ids, or
        embeds: ``[batch, pos, d_model]`` in place of the ids. Position embeddings are added by the model
            either way (GPT-2's ``wpe`` too), so these stand for token embeddings only.
        prefix: what comes before; the result holds only the positions after it.
        edits: replace a site's value on the way.

    Returns:
        The value ``[batch, pos, width]`` of each site.

    Raises:
        ActmaxError: the sequence is empty or longer than the model's context.
    """
    if (ids is None) == (embeds is None):
        raise ActmaxError("Give read either ids or embeds.")
    wanted = frozenset(sites)
    if names := [one for one in wanted if not isinstance(one, Site)]:
        raise ActmaxError(f"{names[0]!r} is not a site; make one with actmax.resolve_site(model, NAME).")
    given: Tensor = ids if ids is not None else embeds  # type: ignore[assignment]
    batch, length = given.shape[:2]
    past = 0 if prefix is None else prefix.ids.shape[1]
    _check_length(model, length, past)
    cache = None if prefix is None else prefix.cache(model, batch)
    return _run(model, wanted, ids, embeds, cache, edits or {})


def read_prefix(model: Model, sites: Iterable[Site], ids: Ids) -> Prefix:
    """Run a shared beginning ``[1, pos]`` once, to the depth of ``sites``, without a graph."""
    wanted = frozenset(sites)
    _check_length(model, ids.shape[1], 0)
    cache = _cache()
    with torch.no_grad():
        acts = _run(model, wanted, ids, None, cache, {})
    layers: list[Any] = cache.layers  # of which those beyond the deepest site stayed empty
    pairs = tuple((layer.keys, layer.values) for layer in layers if getattr(layer, "keys", None) is not None)
    return Prefix(ids, wanted, pairs, acts)


def _cache() -> DynamicCache:
    """A cache that holds every position.

    A cache that knows of sliding windows drops the keys outside of them, and a prefix would lose count of its
    positions; the model's own mask keeps to the windows either way.
    """
    return DynamicCache()


def _check_length(model: Model, length: int, past: int) -> None:
    if length < 1:
        raise ActmaxError("The sequence is empty; give it at least one position.")
    if past + length > model.context:
        raise ActmaxError(
            f"The sequence has {past + length} positions, but {model.name} reads at most {model.context}; "
            "shorten it."
        )


def watch(
    model: Model,
    sites: Iterable[Site],
    see: Callable[[Site, Acts], None],
    *,
    ids: Ids,
) -> None:
    """Pass on the values of some sites in the order in which the model computes them, without storing any.

    Each value is handed over while it is still in the processor's cache; :func:`read` holds them all.

    Args:
        model: runs no deeper than the deepest site (put ``torch.inference_mode`` around).
        sites: each is shown once.
        see: receives the site and its value ``[batch, pos, width]``, which it must not change but may hold
            for a while.
        ids: ``[batch, pos]``, not longer than the model's context.
    """
    asked = tuple(dict.fromkeys(sites))
    _forward(model, expand(model, asked, {}), shown(model, asked, see), ids, None, None)


def _run(
    model: Model,
    sites: frozenset[Site],
    ids: Ids | None,
    embeds: Embeds | None,
    cache: DynamicCache | None,
    edits: Mapping[Site, Edit],
) -> dict[Site, Acts]:
    """Every wanted site, computed from the model's own where it is derived."""
    found: dict[Site, Acts] = {}
    _forward(model, expand(model, sites, edits), found.__setitem__, ids, embeds, cache)
    return {site: derive(model, site, found[base_of(model, site)]) for site in sites}


def _forward(
    model: Model,
    plan: Expansion,
    see: Callable[[Site, Acts], None],
    ids: Ids | None,
    embeds: Embeds | None,
    cache: DynamicCache | None,
) -> None:
    """One forward pass: hook, run, stop where the last value has been seen.

    Every site of the plan is shown once, with edits done. Sites that are only edited count too: the model has
    to run that far.
    """
    check_ids(model, ids)
    batch, length = (ids if ids is not None else embeds).shape[:2]  # type: ignore[union-attr]
    logits, embed, edits = Site(LOGITS), Site(EMBED), plan.edits
    hooked = {site for site in plan.sites | edits.keys() if site != logits}
    if embeds is not None and embed in hooked:
        # The embedding module does not run on embeddings: they are its output.
        embeds = edits[embed](embeds) if embed in edits else embeds
        hooked.remove(embed)
        if embed in plan.sites:
            see(embed, embeds)
    if not hooked and logits not in plan.sites:
        return
    left = set(hooked)

    def visit(site: Site, value: Acts) -> None:
        if site in plan.sites:
            see(site, value)
        left.discard(site)
        if not left and logits not in plan.sites:
            raise _Stop

    with ExitStack() as stack:
        shape = (batch, length)
        # What is carried to a block's output is hooked first, so that the output is seen with it.
        made = {
            site: _carried(model, site, edit, (batch, length), stack)
            if site.kind == "hook_resid_mid"
            else edit
            for site, edit in edits.items()
        }
        for site in hooked:
            handle = attach(model, tap(model, site), shape, partial(visit, site), made.get(site))
            stack.callback(handle.remove)
        runner = model.net if logits in plan.sites else model.net.base_model
        try:
            output = runner(
                input_ids=ids, inputs_embeds=embeds, past_key_values=cache, use_cache=cache is not None
            )
        except _Stop:
            return
        if logits in plan.sites:
            see(logits, edits[logits](output.logits) if logits in edits else output.logits)


def _carried(model: Model, site: Site, edit: Edit, shape: tuple[int, int], stack: ExitStack) -> Edit:
    """An edit of ``hook_resid_mid``, which has to be made again where the skip connection comes in."""
    carried, after = carry_on(edit)
    block = tap(model, Site(f"blocks.{site.layer}.hook_resid_post", site.layer))
    stack.callback(attach(model, block, shape, lambda value: None, after).remove)
    return carried
