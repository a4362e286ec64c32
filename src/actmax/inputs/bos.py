"""Whether a sequence starts with BOS: one policy, stated in every result.

Some tokenizers define a beginning-of-sequence token but add none (SmolLM2's), some add one by themselves
(Llama's), some have none at all. actmax never lets a tokenizer decide: text is always encoded without special
tokens, and BOS comes from here, once.

Without BOS the first token of a sequence turns into an attention sink in most models: its residual norm is a
hundred times that of any other, and what a unit says there is about being first, not about the token.
"""

from __future__ import annotations

from typing import cast, get_args

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from actmax.errors import ActmaxError
from actmax.inputs.settings import BosPolicy as BosPolicy
from actmax.shapes import Ids


def bos_policy(word: str) -> BosPolicy:
    """The policy that a word names.

    Raises:
        ActmaxError: the word is none of the three.
    """
    if word not in get_args(BosPolicy):
        raise ActmaxError(f"{word!r} is no BOS policy; use auto, always or never.")
    return cast(BosPolicy, word)


def bos_id(tokenizer: PreTrainedTokenizerBase, policy: BosPolicy = "auto") -> int | None:
    """The id to start every sequence with, or None for none.

    Raises:
        ActmaxError: the policy is ``always`` and the tokenizer defines no BOS.
    """
    if policy == "never":
        return None
    found = tokenizer.bos_token_id
    if found is None and policy == "always":
        raise ActmaxError("This tokenizer defines no BOS token; use --bos auto or --bos never.")
    return None if found is None else int(found)


def with_bos(ids: Ids, bos: int | None) -> Int[Tensor, "batch longer"]:
    """``[batch, pos]`` with BOS in front of every row: ``[batch, pos + 1]``.

    Unchanged where ``bos`` is None, or where every row begins with it already: it is never added twice.

    Raises:
        ActmaxError: some rows begin with BOS and some do not, so no one column would be right for all.
    """
    if bos is None:
        return ids
    if ids.shape[1]:
        begun = ids[:, 0] == bos
        if bool(begun.all()) and len(begun):
            return ids
        if bool(begun.any()):
            raise ActmaxError("Some sequences begin with BOS and some do not; give all of them one form.")
    return torch.cat([ids.new_full((len(ids), 1), bos), ids], dim=1)
