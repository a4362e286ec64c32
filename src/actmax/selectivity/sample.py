"""One sample: what the model reads, and which of its tokens the sample is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from actmax.errors import ActmaxError


@dataclass(frozen=True)
class Sample:
    """A target in its context. ``ids[start:stop]`` is the target; BOS is added when the sample is read."""

    ids: tuple[int, ...]
    """What the model reads: the tokens before the target, the target, and those after it."""
    start: int
    """First token of the target."""
    stop: int
    """One past its last."""
    text: str
    """The target, as it stands in the text."""
    word: str
    """What it was found by: a word of the list, or its own text."""
    document: str
    """Samples of one document stay on one side when units are validated on held-out text."""
    where: int = -1
    """Corpus position of its first token; -1 outside a corpus."""
    before: str = ""
    """Text in front of the target, as read."""
    after: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop <= len(self.ids):
            raise ValueError(f"tokens {self.start} to {self.stop} of {len(self.ids)} are no target")


def sample_of_text(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    *,
    target: tuple[int, int] | None = None,
    word: str | None = None,
    document: str | None = None,
) -> Sample:
    """A text by itself; the target is the characters ``target`` of it, or all of it.

    Raises:
        ActmaxError: the text is empty, or the tokenizer cannot tell where its tokens lie.
    """
    if not text.strip():
        raise ActmaxError("A sample has no text; leave it out or fill it in.")
    if not tokenizer.is_fast:
        raise ActmaxError(
            "This model's tokenizer cannot tell where its tokens lie; convert it to a fast one."
        )
    read: Any = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, spans = read["input_ids"], read["offset_mapping"]
    begin, end = target or (0, len(text))
    start, stop = token_span([a for a, _ in spans], [b for _, b in spans], begin, end)
    return Sample(
        tuple(ids),
        start,
        stop,
        text[begin:end].strip(),
        word if word is not None else text[begin:end].strip(),
        document if document is not None else text,
        before=text[:begin],
        after=text[end:],
    )


def token_span(starts: Sequence[int], ends: Sequence[int], begin: int, end: int) -> tuple[int, int]:
    """The tokens that hold any of the characters ``begin`` to ``end``: first, and one past the last.

    Raises:
        ActmaxError: no token does.
    """
    touched = [k for k, (a, b) in enumerate(zip(starts, ends, strict=True)) if b > begin and a < end]
    if not touched:
        raise ActmaxError(f"No token holds the characters {begin} to {end}; check the target.")
    return touched[0], touched[-1] + 1
