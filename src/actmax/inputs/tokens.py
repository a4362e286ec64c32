"""A space of token sequences: which of them are allowed, and random ones to start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.inputs.allowed import Allowed
from actmax.inputs.chat import Chat
from actmax.inputs.frame import Frame
from actmax.models.model import Model
from actmax.shapes import Ids

Row: TypeAlias = tuple[int, ...]
"""Searched token ids."""

_ROUNDS = 50


def survives(model: Model, ids: Ids, frame: Frame | None = None) -> Bool[Tensor, " batch"]:
    """The rows that decode → encode returns unchanged.

    With a frame this is tested between its texts, so that what a user types is what was searched. Where the
    frame holds special tokens, the tokenizer reads them from the text as themselves. Where a chat template
    made the frame, it is run on the text of each row and must give the same ids.

    Raises:
        ActmaxError: the chat template fails on every row.
    """
    frame = frame or Frame()
    head, tail = list(frame.text_before), list(frame.after)
    tokenizer: Any = model.tokenizer
    rows = [head + row + tail for row in ids.tolist()]
    if not rows:
        return torch.zeros(0, dtype=torch.bool)
    texts = tokenizer.batch_decode(rows, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    again = tokenizer(texts, add_special_tokens=False)["input_ids"]
    good = torch.tensor([list(new) == old for new, old in zip(again, rows, strict=True)])
    if frame.chat is not None and bool(good.any()):
        good[good.clone()] = _through_template(frame, frame.chat, ids[good])
    return good


def _through_template(frame: Frame, chat: Chat, ids: Ids) -> Bool[Tensor, " batch"]:
    """The rows that the model is given when their text is the user's message in the chat template."""
    head = list(frame.before)
    rows = [head + row for row in ids.tolist()]
    texts = chat.tokenizer.batch_decode(
        [head, *rows], skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    start = len(texts[0])
    messages = [chat.render_or_none(text[start:]) for text in texts[1:]]
    wholes = [message for message in messages if message is not None]
    if not wholes:
        chat.render(texts[1][start:])  # raises the template's reason
    given = iter(chat.tokenizer(wholes, add_special_tokens=False)["input_ids"])
    expected = [[*frame.from_template, *row, *frame.after] for row in ids.tolist()]
    return torch.tensor(
        [
            message is not None and list(next(given)) == row
            for message, row in zip(messages, expected, strict=True)
        ]
    )


@dataclass(frozen=True)
class TokenSpace:
    """The sequences that a search may return: their tokens, their lengths, and whether a text must produce
    them."""

    model: Model
    allowed: Allowed
    frame: Frame = field(default_factory=Frame)
    reachable: bool = True
    """Only sequences that survive decode → encode are results."""
    length: int = 1
    """The number of searched tokens, or the largest number where ``shortest`` is less."""
    shortest: int | None = None
    """The smallest number of tokens; None means ``length``. A method may always use all."""
    max_cross_entropy: float | None = None
    """The largest cross-entropy of a result, in nats per token."""
    starts: tuple[Row, ...] = ()
    """Sequences worth starting from (corpus windows), best first; methods may use them or not."""

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ActmaxError(f"The length is {self.length}; give at least 1 token.")
        if not 1 <= self.least <= self.length:
            raise ActmaxError(f"The shortest length is {self.shortest}; give 1 to {self.length}.")
        if self.max_cross_entropy is not None and not self.max_cross_entropy > 0:
            raise ActmaxError(
                f"The largest cross-entropy is {self.max_cross_entropy}; give a number above 0."
            )

    @property
    def least(self) -> int:
        """The smallest number of searched tokens."""
        return self.length if self.shortest is None else self.shortest

    def keep(self, ids: Ids) -> Bool[Tensor, " batch"]:
        """The rows that hold only allowed tokens and, where asked, survive decode → encode."""
        good = self.allowed.mask[ids].all(dim=1)
        if self.reachable and bool(good.any()):
            good[good.clone()] = survives(self.model, ids[good], self.frame)
        return good

    def random(self, n: int, length: int, rng: torch.Generator) -> Ids:
        """``[n, length]`` sequences drawn uniformly among the allowed ones.

        Raises:
            ActmaxError: hardly any sequence survives decode → encode.
        """
        found: list[Tensor] = []
        have = 0
        for _ in range(_ROUNDS):
            draws = torch.randint(len(self.allowed.ids), (max(2 * (n - have), 8), length), generator=rng)
            ids = self.allowed.ids[draws]
            found.append(ids[self.keep(ids)])
            have += len(found[-1])
            if have >= n:
                return torch.cat(found)[:n]
        raise ActmaxError(
            f"Hardly any sequence of {length} tokens survives decoding and encoding with this tokenizer; "
            "allow others with --no-reachable."
        )
