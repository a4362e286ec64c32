"""Sites and units: their names, how they are parsed, and which of them a given model has.

Canonical names are TransformerLens hook names; ``hidden_states.{i}`` is an alias for what
``output.hidden_states[i]`` holds in transformers (the last one is after the final norm).
A unit is written ``SITE:INDEX``; for heads ``blocks.3.attn.hook_q.2:7`` (head 2, dimension 7); for logits
also ``unembed.hook_logits:" Paris"``; for a direction ``SITE:@FILE.safetensors`` or ``SITE:@FILE#TENSOR``;
for a latent of the dictionary ``sae`` also ``sae:5``, before its gate ``sae.pre:5``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from actmax.errors import ActmaxError, nearest
from actmax.models.families import Tap
from actmax.models.latents import latents_by_site, latents_by_unit
from actmax.models.model import Model
from actmax.models.text import text_ids
from actmax.models.unit_names import split_unit

EMBED, FINAL, LOGITS = "hook_embed", "ln_final.hook_normalized", "unembed.hook_logits"
NORMALIZED = ("ln1.hook_normalized", "ln2.hook_normalized")
"""Derived sites: the residual stream before attention and before the MLP, normalised without the norm's
gain."""
HEADED = ("attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_z")
_BLOCK = re.compile(r"blocks\.(-?\d+)\.(.+)")
_ALIAS = re.compile(r"hidden_states\.(-?\d+)")
_DIGITS, _SHOWN = 18, 120


@dataclass(frozen=True)
class Site:
    """A named place in the forward pass whose value is a tensor ``[batch, pos, width]``."""

    name: str
    """The canonical name, for example ``blocks.3.hook_resid_post``."""
    layer: int | None = None
    """The block, where the site is in one."""

    @property
    def kind(self) -> str:
        """The name without its block: ``hook_resid_post``."""
        return self.name.split(".", 2)[2] if self.layer is not None else self.name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Unit:
    """One scalar per position: an index of a site, or a direction in its space."""

    site: Site
    index: int | None
    """The index in the site; None for a direction."""
    name: str
    """The unit as the user wrote it."""
    direction: Float[Tensor, " width"] | None = field(default=None, compare=False)
    """A unit vector; the scalar is its dot product with the site's value."""

    def __str__(self) -> str:
        return self.name


def _block_taps(model: Model) -> Mapping[str, Tap | None]:
    family, config = model.family, model.net.config.get_text_config()
    return {
        "hook_resid_mid": family.resid_mid if family.sequential(config) else None,
        "hook_attn_out": family.attn_out,
        "hook_mlp_out": family.mlp_out,
        "mlp.hook_in": Tap(family.mlp_pre.module, "in"),
        "mlp.hook_pre": family.mlp_pre,
        "mlp.hook_pre_linear": family.mlp_pre_linear,
        "mlp.hook_post": family.mlp_post,
        "attn.hook_q": family.q,
        "attn.hook_k": family.k,
        "attn.hook_v": family.v,
        "attn.hook_z": family.z,
        "hook_resid_pre": Tap("", "in"),
        "hook_resid_post": Tap("", "out"),
    }


def tap(model: Model, site: Site) -> Tap:
    """The module edge that holds a site, with the module's path from the model's root.

    ``unembed.hook_logits`` has none: it is the model's own output (after soft-capping, where there is any).
    """
    if site.layer is None:
        if site.name == EMBED:
            return Tap(model.family.embed, "out")
        return Tap(model.family.final_norm, "out")
    local = _block_taps(model)[site.kind]
    if local is None:
        raise ActmaxError(f"{model.name} has no site {site.name!r}; `actmax sites` lists those that it has.")
    path = f"{model.family.blocks}.{site.layer}"
    return Tap(f"{path}.{local.module}" if local.module else path, local.side, local.part)


def heads(model: Model, kind: str) -> int:
    """The number of heads of an ``attn.hook_*`` site (grouped-query keys and values have fewer)."""
    config = model.net.config.get_text_config()
    n: int = config.num_attention_heads
    if kind in ("attn.hook_k", "attn.hook_v"):
        n = getattr(config, "num_key_value_heads", None) or n
    return n


def d_head(model: Model) -> int:
    """The width of one attention head."""
    config = model.net.config.get_text_config()
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def width(model: Model, site: Site) -> int:
    """The number of indices of a site."""
    if site.name == EMBED:
        return model.d_model
    if latents := latents_by_site(model).get(site.name):
        return latents.dictionary.n
    if site.name == LOGITS:
        return int(model.net.config.get_text_config().vocab_size)
    if site.kind in HEADED:
        return heads(model, site.kind) * d_head(model)
    if site.kind.startswith("mlp.") and site.kind != "mlp.hook_in":
        post = tap(model, Site(f"blocks.{site.layer}.mlp.hook_post", site.layer))
        down = model.net.get_submodule(post.module)
        if isinstance(down, Conv1D):
            return int(down.weight.shape[0])  # it holds [in, out]
        inputs: Any = down.in_features  # of a Linear, or of an adapter's layer around one
        return int(inputs)
    return int(model.net.config.get_text_config().hidden_size)


def list_sites(model: Model) -> Mapping[str, int]:
    """Every site that the model has, in the order of the forward pass, with its width."""
    kinds = [kind for kind, place in _block_taps(model).items() if place is not None]
    order = ["hook_resid_pre", *HEADED, "hook_attn_out", "hook_resid_mid"]
    order += ["mlp.hook_pre", "mlp.hook_pre_linear", "mlp.hook_post", "hook_mlp_out", "hook_resid_post"]
    sites = [Site(EMBED)]
    for layer in range(model.n_blocks):
        sites += [Site(f"blocks.{layer}.{kind}", layer) for kind in order if kind in kinds]
    if has_final_norm(model):
        sites.append(Site(FINAL))
    sites.append(Site(LOGITS))
    sites += [site_named(name) for name in latents_by_site(model)]
    return {site.name: width(model, site) for site in sites}


def site_named(name: str) -> Site:
    """The site with a canonical name, which is not checked."""
    block = _BLOCK.fullmatch(name)
    return Site(name) if block is None else Site(name, int(block[1]))


def has_final_norm(model: Model) -> bool:
    """False for post-norm models (OPT-350m), whose last hidden state is the last block's output."""
    *path, name = model.family.final_norm.split(".")
    return getattr(model.net.get_submodule(".".join(path)), name, None) is not None


def resolve_site(model: Model, name: str) -> Site:
    """The canonical site for a name or alias, checked against the model.

    Raises:
        ActmaxError: unknown name, a block that the model does not have, or a negative index.
    """
    if alias := _ALIAS.fullmatch(name):
        return _hidden_state(model, _whole(alias[1]), name)
    if name in latents_by_site(model):
        return site_named(name)
    if block := _BLOCK.fullmatch(name):
        layer, kind = _whole(block[1]), block[2]
        _in_range(layer, model.n_blocks, f"block of {_short(name)}", model)
        kinds = [kind for kind, place in _block_taps(model).items() if place is not None]
        if kind == "hook_mlp_in" and "hook_resid_mid" in kinds:
            kind = "hook_resid_mid"
        if kind in kinds or kind == NORMALIZED[0] or (kind == NORMALIZED[1] and "hook_resid_mid" in kinds):
            return Site(f"blocks.{layer}.{kind}", layer)
        known = [f"blocks.{layer}.{k}" for k in kinds]
    else:
        known = [EMBED, LOGITS, "hidden_states.0", "blocks.0.hook_resid_post", "blocks.0.mlp.hook_post"]
        known += [FINAL] if has_final_norm(model) else []
        if name in (EMBED, FINAL, LOGITS) and name in known:
            return Site(name)
    raise ActmaxError(
        f"The model {model.name} has no site {_short(name)}; the nearest are {nearest(name, known)}. "
        "`actmax sites` lists them all."
    )


def resolve(model: Model, unit: str | Unit) -> Unit:
    """Parse ``SITE:INDEX`` (or a head's, a token's or a direction's unit) and check it against the model.

    A unit that is one already is returned.

    Raises:
        ActmaxError: the sentence names what is wrong and the nearest valid names or the bounds.
    """
    if isinstance(unit, Unit):
        return unit
    name, index = split_unit(unit)
    if latents := latents_by_unit(model).get(name):
        name = latents.site
    head: str | None = None
    stem, _, last = name.rpartition(".")
    if stem.endswith(HEADED) and re.fullmatch(r"-?\d+", last):
        name, head = stem, last
    site = resolve_site(model, name)
    if index.startswith("@"):
        if head is not None:
            raise ActmaxError(f"{unit!r} names a head; a direction is given for the whole site {name}.")
        return Unit(site, None, unit, _direction(model, site, index[1:]))
    if site.name == LOGITS and not re.fullmatch(r"-?\d+", index):
        return Unit(site, _token(model, index.strip("\"'")), unit)
    if not re.fullmatch(r"-?\d+", index):
        raise ActmaxError(f"The index {_short(index)} of {_short(unit)} is not a whole number.")
    if head is None:
        _in_range(_whole(index), width(model, site), f"index of {_short(unit)}", model)
        return Unit(site, _whole(index), unit)
    size = d_head(model)
    _in_range(_whole(head), heads(model, site.kind), f"head of {_short(unit)}", model)
    _in_range(_whole(index), size, f"index of {_short(unit)}", model)
    return Unit(site, _whole(head) * size + _whole(index), unit)


def _hidden_state(model: Model, i: int, name: str) -> Site:
    n = model.n_blocks
    _in_range(i, n + 1, f"hidden state of {_short(name)}", model)
    if i == 0:
        return Site("blocks.0.hook_resid_pre", 0)
    if i == n and has_final_norm(model):
        return Site(FINAL)
    return Site(f"blocks.{i - 1}.hook_resid_post", i - 1)


def _whole(digits: str) -> int:
    """A whole number; one with more digits than Python converts becomes a number that is out of any range."""
    sign, size = digits.startswith("-"), digits.lstrip("-").lstrip("0")
    value = int(size or "0") if len(size) <= _DIGITS else 10**_DIGITS
    return -value if sign else value


def _short(name: str) -> str:
    """A name in quotes; the middle of a very long one is left out."""
    return repr(name if len(name) <= _SHOWN else f"{name[: _SHOWN // 2]}…{name[-_SHOWN // 2 :]}")


def _in_range(value: int, bound: int, what: str, model: Model) -> None:
    if value < 0:
        raise ActmaxError(f"The {what} is negative; {model.name} counts from 0 to {bound - 1}.")
    if value >= bound:
        raise ActmaxError(f"The {what} is out of range; {model.name} has 0 to {bound - 1}.")


def _token(model: Model, text: str) -> int:
    ids = text_ids(model, text)
    if len(ids) != 1:
        raise ActmaxError(f"{text!r} is {len(ids)} tokens, not one; give a token id or a text of one token.")
    return ids[0]


def _direction(model: Model, site: Site, where: str) -> Float[Tensor, " width"]:
    from safetensors import SafetensorError, safe_open

    path, _, key = where.partition("#")
    if not Path(path).is_file():
        raise ActmaxError(f"There is no file {path!r}; a direction is read from a safetensors file.")
    try:
        with safe_open(path, framework="pt") as file:
            keys = list(file.keys())
            if not keys:
                raise ActmaxError(f"{path} holds no tensor; a direction is one of a file's tensors.")
            if not key and len(keys) != 1:
                raise ActmaxError(f"{path} holds {len(keys)} tensors; name one of them: @{path}#{keys[0]}.")
            if key and key not in keys:
                raise ActmaxError(f"{path} holds no tensor {key!r}; the nearest are {nearest(key, keys)}.")
            vector: Tensor = file.get_tensor(key or keys[0])
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ActmaxError(f"{path} is not a safetensors file ({error}).") from None
    vector = vector.to(device=model.device, dtype=torch.float32).flatten()
    if vector.numel() != width(model, site):
        raise ActmaxError(
            f"The direction in {path} has {vector.numel()} numbers, "
            f"but {site.name} is {width(model, site)} wide."
        )
    if not bool(torch.isfinite(vector).all()) or float(vector.norm()) == 0.0:
        raise ActmaxError(f"The direction in {path} is zero or not finite.")
    unit: Tensor = vector / vector.norm()
    return unit
