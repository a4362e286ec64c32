"""What the model really gives for tokens: activation on the ids, on their text, and on random tokens.

The decoding gap is the distance between what a soft input reached and what the tokens read off it give. Every
sequence is run by itself, so that a number does not depend on what else was in the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from actmax.models.model import Model
from actmax.models.read import Prefix, read
from actmax.models.sites import LOGITS, Site
from actmax.objectives.activation import Activation
from actmax.objectives.objective import Objective, Reading
from actmax.objectives.penalties import nats_per_token
from actmax.rng import stream
from actmax.shapes import Embeds, Ids

_BATCH = 100
_RANDOM_STREAM = 2**31
"""Keeps the random control apart from the restarts' streams."""


@dataclass(frozen=True)
class Rescored:
    """The truth about one sequence of ids."""

    tokens: list[str]
    """Each id decoded by itself."""
    text: str
    activation_of_ids: float
    activation_of_text: float
    """After decode and encode; NaN where the text has no token to read."""
    retokenizes: bool
    """Does the text give the same ids again?"""
    cross_entropy: float
    """Nats per token of the text under the same model, after BOS where the tokenizer defines one."""


@torch.no_grad()
def activation_of(
    model: Model,
    term: Activation,
    *,
    ids: list[int] | None = None,
    embeds: Embeds | None = None,
    prefix: Prefix | None = None,
) -> float:
    """A term on one sequence, run by itself: token ids, or embeddings ``[1, pos, d_model]``."""
    tensor = None if ids is None else torch.tensor([ids], device=model.device)
    acts = read(model, term.needs, ids=tensor, embeds=embeds, prefix=prefix)
    return float(Objective(((1.0, term),))(Reading(acts, past=_past(prefix)))[0])


def _past(prefix: Prefix | None) -> int:
    return 0 if prefix is None else int(prefix.ids.shape[1])


@torch.no_grad()
def cross_entropy_of(model: Model, ids: list[int]) -> float:
    """Nats per token. With BOS in front every token counts; without one, all but the first."""
    bos = model.tokenizer.bos_token_id
    whole = ids if not isinstance(bos, int) or ids[:1] == [bos] else [bos, *ids]
    tensor = torch.tensor([whole], device=model.device)
    return float(nats_per_token(read(model, [Site(LOGITS)], ids=tensor)[Site(LOGITS)], tensor)[0])


def rescore(model: Model, term: Activation, ids: list[int], prefix: Prefix | None = None) -> Rescored:
    """Run the ids, and the text that they make, through the model (after the prefix, where there is one)."""
    tokens = [str(model.tokenizer.decode([i])) for i in ids]
    text = str(model.tokenizer.decode(ids))
    again: list[int] = model.tokenizer.encode(text, add_special_tokens=False)
    readable = again and (not isinstance(term.positions, int) or term.positions < len(again))
    return Rescored(
        tokens,
        text,
        activation_of(model, term, ids=ids, prefix=prefix),
        activation_of(model, term, ids=again, prefix=prefix) if readable else math.nan,
        again == ids,
        cross_entropy_of(model, again or ids),
    )


@torch.no_grad()
def random_token_activations(
    model: Model,
    term: Activation,
    length: int,
    n: int = 1000,
    seed: int = 0,
    prefix: Prefix | None = None,
) -> Float[Tensor, " n"]:
    """The control: the activation on random sequences of tokens, in ascending order.

    Ids are drawn uniformly from the tokenizer's vocabulary without special tokens.
    """
    size = min(len(model.tokenizer), model.vocab_size)
    special = set(model.tokenizer.all_special_ids)
    tokens = torch.tensor([i for i in range(size) if i not in special])
    drawn = torch.randint(len(tokens), (n, length), generator=stream(seed, _RANDOM_STREAM))
    found: list[Tensor] = []
    for ids in tokens[drawn].split(_BATCH):
        rows: Ids = ids.to(model.device)
        acts = read(model, term.needs, ids=rows, prefix=prefix)
        found.append(Objective(((1.0, term),))(Reading(acts, past=_past(prefix))).float().cpu())
    return torch.cat(found).sort().values
