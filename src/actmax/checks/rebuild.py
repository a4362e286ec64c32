"""The relation between hooks and hidden states, checked on a model (``actmax doctor --deep``).

On a few sequences of random tokens:

1. *Blocks rebuild*: ``resid_pre + attn_out + mlp_out == resid_post`` in every block (where the family's
   blocks add up; with ``resid_mid`` where there is one).
2. *Hidden states*: ``output.hidden_states[i]`` of transformers is ``blocks.i.hook_resid_pre``, that is the
   output of block ``i - 1``.
3. *The last one*: ``hidden_states[-1]`` is the final norm of the last block's output, and not that output.
4. *Embeddings path*: the embeddings of the ids, given as embeddings, lead to the same values as the ids.

Each relation gives its largest absolute deviation, and the same relative to the largest magnitude.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from actmax.checks.controls import random_tokens
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sites import FINAL, LOGITS, Site, has_final_norm, list_sites

ROWS, LENGTH = 4, 24
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Relative deviation that rounding explains."""
_STREAM = 2**30 + 3


@dataclass(frozen=True)
class Relation:
    """A relation that must hold between hooks and hidden states."""

    name: str
    holds: bool
    deviation: float
    """Largest absolute deviation; NaN where the model has no such relation."""
    relative: float
    """The deviation divided by the largest magnitude of what is compared."""
    where: str
    """The site or block with the largest deviation; ``everywhere`` where there is none."""
    says: str


@torch.no_grad()
def relations(model: Model, seed: int = 0) -> tuple[Relation, ...]:
    """Check all four on ``ROWS`` × ``LENGTH`` random tokens."""
    length = min(LENGTH, model.context)
    ids = random_tokens(model, ROWS, length, seed, _STREAM).to(model.device)
    names = list_sites(model)
    parts = ("hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post")
    wanted = [
        Site(f"blocks.{layer}.{part}", layer)
        for layer in range(model.n_blocks)
        for part in parts
        if f"blocks.{layer}.{part}" in names
    ]
    wanted += [Site(FINAL)] if has_final_norm(model) else []
    acts = {site.name: value for site, value in read(model, [*wanted, Site(LOGITS)], ids=ids).items()}
    states = model.net.base_model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
    limit = TOLERANCE[model.dtype]
    return (
        _blocks(model, acts, limit),
        _states(model, acts, states, limit),
        _last(model, acts, states, limit),
        _embeds(model, ids, acts, [*wanted, Site(LOGITS)], limit),
    )


def _blocks(model: Model, acts: dict[str, Tensor], limit: float) -> Relation:
    says = "resid_pre + attn_out + mlp_out = resid_post in every block"
    if not model.family.additive(model.net.config.get_text_config()):
        return Relation(
            "blocks rebuild", True, float("nan"), float("nan"), "", f"not so in this family: {says}"
        )
    pairs = []
    for layer in range(model.n_blocks):
        at = f"blocks.{layer}.hook_"
        whole = acts[at + "resid_pre"] + acts[at + "attn_out"] + acts[at + "mlp_out"]
        pairs.append((f"block {layer}", whole, acts[at + "resid_post"]))
        if at + "resid_mid" in acts:
            middle = acts[at + "resid_pre"] + acts[at + "attn_out"]
            pairs.append((f"middle of block {layer}", middle, acts[at + "resid_mid"]))
    return _worst("blocks rebuild", pairs, limit, f"{says}, {model.n_blocks} blocks")


def _states(model: Model, acts: dict[str, Tensor], states: tuple[Tensor, ...], limit: float) -> Relation:
    pairs = [
        (f"hidden_states.{i}", states[i], acts[f"blocks.{i}.hook_resid_pre"]) for i in range(model.n_blocks)
    ]
    return _worst("hidden states", pairs, limit, "hidden_states[i] of transformers = input of block i")


def _last(model: Model, acts: dict[str, Tensor], states: tuple[Tensor, ...], limit: float) -> Relation:
    hooked = acts[f"blocks.{model.n_blocks - 1}.hook_resid_post"]
    if not has_final_norm(model):
        return _worst(
            "last hidden state",
            [("last block", states[-1], hooked)],
            limit,
            "there is no final norm: hidden_states[-1] = output of the last block",
        )
    norm = model.net.get_submodule(model.family.final_norm)
    pairs = [
        ("norm of the hooked block", states[-1], norm(hooked)),
        (FINAL, states[-1], acts[FINAL]),
    ]
    apart = float((states[-1].double() - hooked.double()).abs().max())
    return _worst(
        "last hidden state",
        pairs,
        limit,
        f"hidden_states[-1] = final norm of the last block's output; the output itself is up to {apart:,.4g}"
        " away from it",
    )


def _embeds(model: Model, ids: Tensor, acts: dict[str, Tensor], sites: list[Site], limit: float) -> Relation:
    other = read(model, sites, embeds=model.embedding[ids])
    pairs = [(site.name, other[site], acts[site.name]) for site in sites]
    return _worst(
        "embeddings path", pairs, limit, f"token ids and their embeddings give the same at {len(sites)} sites"
    )


def _worst(name: str, pairs: list[tuple[str, Tensor, Tensor]], limit: float, says: str) -> Relation:
    """The pair that is farthest apart, in relation to how large its values are."""
    found = []
    for where, one, other in pairs:
        apart = float((one.double() - other.double()).abs().max())
        size = float(other.double().abs().max()) or 1.0
        found.append((apart / size, apart, where))
    relative, apart, where = max(found)
    return Relation(name, relative <= limit, apart, relative, where if apart else "everywhere", says)
