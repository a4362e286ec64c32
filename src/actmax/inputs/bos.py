"""Whether a sequence starts with BOS: one policy, stated in every result.

Some tokenizers define a beginning-of-sequence token but add none (SmolLM2's), some add one by themselves
(Llama's), some have none at all. actmax never lets a tokenizer decide: text is always encoded without special
tokens, and BOS comes from here, once.

Without BOS the first token of a sequence turns into an attention sink in most models: its residual norm is a
hundred times that of any other, and a unit's activation there is about being first, not about the token.
"""

from __future__ import annotations

from typing import cast, get_args

from transformers import PreTrainedTokenizerBase

from actmax.errors import ActmaxError
from actmax.inputs.settings import BosPolicy as BosPolicy


def bos_policy(word: str) -> BosPolicy:
    """The BOS policy with this name.

    Raises:
        ActmaxError: there is no such policy.
    """
    if word not in get_args(BosPolicy):
        raise ActmaxError(f"{word!r} is not a BOS policy; use auto, always or never.")
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
