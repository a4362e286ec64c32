"""Running stretches of text again with a unit changed at one position.

The beginnings of texts are run in batches, once (:func:`beginnings`): what stands before a position is a
piece of one of them. Every change is one row that goes on from there for a few tokens, and examples that
stand at the same position are run together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from actmax.models.model import Model
from actmax.models.read import Prefix, read, read_prefix
from actmax.models.sites import LOGITS, Site, Unit
from actmax.shapes import Acts

_AT_ONCE, _ROWS = 8, 96


@dataclass(frozen=True)
class Change:
    """An amount that is added to a unit."""

    unit: Unit
    amount: float


@dataclass(frozen=True)
class AblationPoint:
    """A position in a text, and the changes that are made there."""

    before: Prefix
    """The text up to the position, with BOS; at least one token."""
    after: Int[Tensor, " after"]
    """The token at the position and those that follow."""
    changes: tuple[Change, ...]
    """Each is made separately."""


@dataclass(frozen=True)
class AblationEffect:
    """What changes did, one row each."""

    kl: Float[Tensor, " change"]
    """``KL(p ‖ p')`` of the next-token distributions, nats, mean over the position and those after it."""
    loss: Float[Tensor, " change"]
    """Rise of the next-token loss, nats, mean over the positions whose next token is known."""
    gain: Float[Tensor, "change vocab"]
    """Change of the log-probability of every next token at the position itself."""


@torch.no_grad()
def beginnings(model: Model, rows: Int[Tensor, "row pos"]) -> Iterator[Prefix]:
    """Run the beginnings of texts through all blocks; one prefix per row."""
    last = Site(f"blocks.{model.n_blocks - 1}.hook_resid_post", model.n_blocks - 1)  # all blocks, no logits
    for ids in rows.split(_AT_ONCE):
        together = read_prefix(model, [last], ids.to(model.device))
        for k in range(len(ids)):
            pairs = tuple((keys[k : k + 1], values[k : k + 1]) for keys, values in together.keys_values)
            yield replace(together, ids=together.ids[k : k + 1], keys_values=pairs, acts={})


def upto(beginning: Prefix, position: int) -> Prefix:
    """The part of a beginning before a position (no token sees those that come later)."""
    pairs = tuple((keys[:, :, :position], values[:, :, :position]) for keys, values in beginning.keys_values)
    return replace(beginning, ids=beginning.ids[:, :position], keys_values=pairs)


@torch.no_grad()
def effects_of(model: Model, examples: Sequence[AblationPoint]) -> list[AblationEffect]:
    """What the changes of each example do, compared with the unchanged model; all units are of one site."""
    found: dict[int, AblationEffect] = {}
    alike: dict[tuple[int, int], list[int]] = {}
    for k, one in enumerate(examples):
        alike.setdefault((one.before.ids.shape[1], len(one.after)), []).append(k)
    for group in alike.values():
        for some in _few_rows(examples, group):
            found.update(zip(some, _together(model, [examples[k] for k in some]), strict=True))
    return [found[k] for k in range(len(examples))]


def _few_rows(examples: Sequence[AblationPoint], group: Sequence[int]) -> Iterator[list[int]]:
    """Examples in order, in groups of about ``_ROWS`` rows."""
    some: list[int] = []
    rows = 0
    for k in group:
        more = 1 + len(examples[k].changes)
        if some and rows + more > _ROWS:
            yield some
            some, rows = [], 0
        some, rows = [*some, k], rows + more
    yield some


def _together(model: Model, examples: Sequence[AblationPoint]) -> Iterator[AblationEffect]:
    """The effects of examples with equally long beginnings and ends, in one pass."""
    site, logits = examples[0].changes[0].unit.site, Site(LOGITS)
    sizes = [1 + len(one.changes) for one in examples]
    ids = torch.cat([one.after.expand(n, -1) for one, n in zip(examples, sizes, strict=True)])
    firsts = [sum(sizes[:k]) for k in range(len(sizes))]
    changes = [
        (first + 1 + k, change)
        for first, one in zip(firsts, examples, strict=True)
        for k, change in enumerate(one.changes)
    ]

    def edit(value: Acts) -> Acts:
        value = value.clone()
        for row, change in changes:
            if change.unit.direction is None:
                value[row, 0, change.unit.index] += change.amount
            else:
                value[row, 0] += change.amount * change.unit.direction.to(value)
        return value

    before = _stacked([one.before for one in examples], sizes)
    out = read(model, [logits], ids=ids.to(model.device), prefix=before, edits={site: edit})[logits]
    for first, n, one in zip(firsts, sizes, examples, strict=True):
        yield _effect(torch.log_softmax(out[first : first + n].float(), dim=-1), one.after.to(out.device))


def _stacked(pieces: Sequence[Prefix], sizes: Sequence[int]) -> Prefix:
    """One prefix, each piece repeated as often as its size says."""
    pairs = []
    for layer in range(len(pieces[0].keys_values)):
        both = [piece.keys_values[layer] for piece in pieces]
        keys, values = (
            torch.cat([pair[k].expand(n, -1, -1, -1) for pair, n in zip(both, sizes, strict=True)])
            for k in range(2)
        )
        pairs.append((keys, values))
    return replace(pieces[0], keys_values=tuple(pairs))


def _effect(said: Float[Tensor, "row pos vocab"], after: Int[Tensor, " pos"]) -> AblationEffect:
    """The effects from log-probabilities; row 0 is the unchanged model."""
    base, rows = said[0], said[1:]
    p = base.double().exp()
    kl = torch.stack([(p * (base.double() - row.double())).sum(dim=-1).mean() for row in rows])
    known = after[1:]
    steps = torch.arange(len(known), device=said.device)
    if len(known):
        loss = (base[steps, known] - rows[:, steps, known]).double().mean(dim=1)
    else:
        loss = torch.full((len(rows),), torch.nan, dtype=torch.float64, device=said.device)
    return AblationEffect(kl.clamp_min(0).cpu(), loss.cpu(), (rows[:, 0] - base[0]).cpu())
