"""What stands around the searched tokens: BOS, a prefix, a suffix, and the model's chat template.

The texts are tokenised on their own and never with the tokens between them. With the chat template the
prefix, the searched tokens and the suffix together are the user's message, and what the template puts around
a message (with the opening of the answer) joins the frame. Whether the template gives a searched text as it
was scored is checked for each text (:func:`actmax.inputs.tokens.survives`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from actmax.inputs.bos import BosPolicy, bos_id
from actmax.inputs.chat import Chat, chat_of
from actmax.models.model import Model
from actmax.models.text import text_ids


@dataclass(frozen=True)
class Frame:
    """Token ids around the searched ones."""

    before: tuple[int, ...] = ()
    """The ids of BOS, where there is one, and of the prefix."""
    after: tuple[int, ...] = ()
    bos: int | None = None
    """The id that ``before`` begins with, where a policy put it there."""
    chat: Chat | None = field(default=None, compare=False)
    """The template that gave ``before`` and ``after``."""
    from_template: tuple[int, ...] = field(default=(), compare=False)
    """``before`` as the template gives it: without a BOS that a policy put in front."""

    @property
    def text_before(self) -> tuple[int, ...]:
        """``before`` without BOS."""
        return self.before[1:] if self.bos is not None else self.before


def frame_of(
    model: Model, *, prefix: str = "", suffix: str = "", bos: BosPolicy = "auto", chat: bool = False
) -> Frame:
    """The frame that the options describe.

    Raises:
        ActmaxError: BOS or a chat template is asked for and the tokenizer has none; the template fails, or
            does not give the message exactly once and unchanged; a text has a token without an embedding.
    """
    first = bos_id(model.tokenizer, bos)
    template = chat_of(model, prefix, suffix) if chat else None
    head, tail = (prefix, suffix) if template is None else template.around()
    own, after = text_ids(model, head), text_ids(model, tail)
    before = own if first is None or own[:1] == (first,) else (first, *own)
    begun = first is not None and before[:1] == (first,) and not chat
    return Frame(before, after, first if begun else None, template, own)
