"""The tokens that a search may use: a mask over the vocabulary, with a count for every reason to leave one
out.

1. Special and added tokens: control, not text.
2. Rows of the embedding matrix beyond the tokenizer: no text has them.
3. Ids that are not valid UTF-8 by themselves (byte fragments) or that decode to nothing.
4. Tokens that no text gives: decode → encode makes other ids of them. Where a tokenizer treats the
   beginning of a text differently from the rest (SentencePiece puts a space there, WordPiece marks what
   continues a word), a token may be reached at the beginning or after one of :data:`BEHIND`.
5. Under-trained ("glitch") tokens (Land & Bartolo 2024, *Fishing for Magikarp*, arXiv:2405.05417): rows that
   training has hardly touched lie together in one clump. With the mean row taken off every row, a row of
   kinds 1 to 3 with at least :data:`CLUMP` others at a cosine above :data:`NEAR` is a reference, and any
   token within :data:`LIKE` of a reference is under-trained. Where no such clump is found, none are.

A token is counted under the first reason that holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.models.model import Model

SPECIAL, BEYOND, BYTES = "special or added", "beyond the tokenizer", "not valid UTF-8 alone"
UNREACHABLE, GLITCH = "unreachable alone", "under-trained"
REASONS = (SPECIAL, BEYOND, BYTES, UNREACHABLE, GLITCH)

CLUMP = 3
NEAR = 0.98
LIKE = 0.97

BEHIND = ("x", "\n", "7", ".", "the", "Q", "é", " ", "(", "o")
"""The texts after which a token is tried where its place matters."""

_ROWS = 4096
"""The number of rows of the embedding matrix that are compared at once."""


@dataclass(frozen=True)
class Allowed:
    """The tokens that a search may use."""

    mask: Bool[Tensor, " vocab"]
    """One entry per row of the embedding matrix."""
    left_out: Mapping[str, int]
    """The number of tokens that each reason leaves out."""

    @property
    def ids(self) -> Int[Tensor, " allowed"]:
        """The allowed ids, ascending."""
        ids: Tensor = self.mask.nonzero().flatten()
        return ids

    def to_json(self) -> dict[str, Any]:
        """The mask as a manifest records it: rules and counts."""
        return {"allowed": int(self.mask.sum()), "of": len(self.mask), "left_out": dict(self.left_out)}


def allowed_tokens(model: Model, *, keep: tuple[str, ...] = ()) -> Allowed:
    """The mask for a model.

    Args:
        model: its tokenizer and embedding matrix.
        keep: reasons (of :data:`REASONS`) that leave nothing out; rows beyond the tokenizer always are.

    Raises:
        ActmaxError: an unknown reason, or no token is left.
    """
    if unknown := [reason for reason in keep if reason not in REASONS]:
        raise ActmaxError(f"{unknown[0]!r} is not a reason to mask a token; use {', '.join(REASONS)}.")
    vocab, found = model.vocab_size, _special(model)
    beyond = torch.arange(vocab) >= len(model.tokenizer)
    fragments, unreachable = _alone(model, ~beyond)
    fragments &= ~found
    kinds = {SPECIAL: found & ~beyond, BEYOND: beyond, BYTES: fragments, UNREACHABLE: unreachable}
    if GLITCH not in keep:
        kinds[GLITCH] = _under_trained(model, found | beyond | fragments)
    out = torch.zeros(vocab, dtype=torch.bool)
    counts: dict[str, int] = {}
    for reason, mask in kinds.items():
        fresh = mask & ~out if reason not in keep or reason == BEYOND else torch.zeros_like(out)
        counts[reason] = int(fresh.sum())
        out |= fresh
    if bool(out.all()):
        raise ActmaxError(
            f"The vocabulary mask leaves no token of {model.name}; keep some of those it drops."
        )
    return Allowed(~out, counts)


def _special(model: Model) -> Bool[Tensor, " vocab"]:
    tokenizer: Any = model.tokenizer
    ids = {*tokenizer.all_special_ids, *getattr(tokenizer, "added_tokens_decoder", {})}
    mask = torch.zeros(model.vocab_size, dtype=torch.bool)
    mask[[i for i in ids if isinstance(i, int) and i < model.vocab_size]] = True
    return mask


def _alone(
    model: Model, real: Bool[Tensor, " vocab"]
) -> tuple[Bool[Tensor, " vocab"], Bool[Tensor, " vocab"]]:
    """The ids that are not text by themselves, and those that no text gives."""
    ids = real.nonzero().flatten().tolist()
    texts, back = _there_and_back(model, (), ids)
    fragments, unreachable = torch.zeros_like(real), torch.zeros_like(real)
    if _place_matters(model):
        start = tuple(int(i) for i in model.tokenizer.encode(BEHIND[0], add_special_tokens=False))
        bare = len(str(model.tokenizer.decode(list(start), clean_up_tokenization_spaces=False)))
        texts = [text[bare:] for text in _there_and_back(model, start, ids)[0]]
        back = _behind(model, ids, back)
    fragments[ids] = torch.tensor([not text or "\ufffd" in text for text in texts])
    unreachable[ids] = ~torch.tensor(back)
    return fragments, unreachable


def _place_matters(model: Model) -> bool:
    """Whether the tokenizer treats the beginning of a text differently from the rest."""
    backend: Any = model.tokenizer.backend_tokenizer
    letter = backend.normalizer.normalize_str("a") if backend.normalizer is not None else "a"
    if backend.pre_tokenizer is not None:
        letter = "".join(piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(letter))
    marks = ("continuing_subword_prefix", "end_of_word_suffix")
    return letter != "a" or any(getattr(backend.model, mark, None) for mark in marks)


def _there_and_back(model: Model, start: tuple[int, ...], ids: list[int]) -> tuple[list[str], list[bool]]:
    """The text of each id after the tokens ``start``, and whether it gives the same ids again."""
    tokenizer: Any = model.tokenizer
    rows = [[*start, i] for i in ids]
    texts: list[str] = tokenizer.batch_decode(
        rows, skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    again = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return texts, [list(new) == row for new, row in zip(again, rows, strict=True)]


def _behind(model: Model, ids: list[int], reached: list[bool]) -> list[bool]:
    """The ids that are reached at the beginning of a text (``reached``) or after something."""
    found = list(reached)
    for text in BEHIND:
        start = tuple(int(i) for i in model.tokenizer.encode(text, add_special_tokens=False))
        left = [at for at, good in enumerate(found) if not good]
        for at, good in zip(left, _there_and_back(model, start, [ids[at] for at in left])[1], strict=True):
            found[at] = good
    return found


@torch.no_grad()
def _under_trained(model: Model, suspects: Bool[Tensor, " vocab"]) -> Bool[Tensor, " vocab"]:
    rows = model.embedding.float().cpu()
    rows = torch.nn.functional.normalize(rows - rows.mean(dim=0), dim=1)
    few = rows[suspects]
    near = np.zeros(len(few), dtype=np.int64)
    most = torch.full((len(few), len(rows)), 0, dtype=torch.bool)
    for start in range(0, len(rows), _ROWS):
        cosine = few @ rows[start : start + _ROWS].T
        near += (cosine > NEAR).sum(dim=1).numpy()
        most[:, start : start + _ROWS] = cosine > LIKE
    references = torch.from_numpy(near > CLUMP)  # (one of those near a row is the row itself)
    return most[references].any(dim=0)
