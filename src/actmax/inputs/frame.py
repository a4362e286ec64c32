"""What stands around the searched tokens: BOS, a prefix, a suffix, and the model's chat template.

The texts are tokenised on their own and never with the tokens between them. With the chat template the
prefix, the searched tokens and the suffix are together the user's message, and what the template puts around
a message (with the opening of the answer) joins the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_id
from actmax.models.model import Model

_MARK = "ACTMAX-MESSAGE"


@dataclass(frozen=True)
class Frame:
    """Token ids around the searched ones."""

    before: tuple[int, ...] = ()
    """BOS, where there is one, and the prefix."""
    after: tuple[int, ...] = ()
    bos: int | None = None
    """The id that ``before`` begins with, where a policy put it there."""

    @property
    def text_before(self) -> tuple[int, ...]:
        """``before`` without BOS."""
        return self.before[1:] if self.bos is not None else self.before


def frame_of(
    model: Model, *, prefix: str = "", suffix: str = "", bos: BosPolicy = "auto", chat: bool = False
) -> Frame:
    """The frame that the options describe.

    Raises:
        ActmaxError: BOS or a chat template is asked for and the tokenizer has none.
    """
    tokenizer: Any = model.tokenizer
    first = bos_id(tokenizer, bos)
    head, tail = prefix, suffix
    if chat:
        if not getattr(tokenizer, "chat_template", None):
            raise ActmaxError(f"The tokenizer of {model.name} has no chat template; leave --chat out.")
        message = [{"role": "user", "content": prefix + _MARK + suffix}]
        whole = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        head, _, tail = whole.partition(_MARK)
    before = tuple(tokenizer.encode(head, add_special_tokens=False)) if head else ()
    after = tuple(tokenizer.encode(tail, add_special_tokens=False)) if tail else ()
    if first is not None and before[:1] != (first,):
        before = (first, *before)
    begun = first is not None and before[:1] == (first,) and not chat
    return Frame(before, after, first if begun else None)
