"""Text as token ids that the model has embeddings for."""

from __future__ import annotations

from collections.abc import Iterable

from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.shapes import Ids


def text_ids(model: Model, text: str) -> tuple[int, ...]:
    """The ids of a text, without special tokens around it; none for an empty text.

    Raises:
        ActmaxError: one of its tokens has no row in the embedding matrix.
    """
    if not text:
        return ()
    ids = tuple(int(i) for i in model.tokenizer.encode(text, add_special_tokens=False))
    check_rows(model, ids)
    return ids


def check_rows(model: Model, ids: Iterable[int]) -> None:
    """Refuse ids beyond the embedding matrix, which a tokenizer larger than its model gives.

    Raises:
        ActmaxError: the sentence names the first such token.
    """
    beyond = next((i for i in ids if not 0 <= i < model.vocab_size), None)
    if beyond is not None:
        token = model.tokenizer.convert_ids_to_tokens(beyond)
        raise ActmaxError(
            f"The token {token!r} (id {beyond}) has no embedding: {model.name} has {model.vocab_size}, but"
            f" its tokenizer has {len(model.tokenizer)} tokens; leave such tokens out of the text."
        )


def check_ids(model: Model, ids: Ids | None) -> None:
    """:func:`check_rows` for a tensor of ids, at no cost where the tokenizer is not larger than its model.

    Raises:
        ActmaxError: the sentence names a token without an embedding.
    """
    if ids is not None and model.has_tokens_beyond:
        check_rows(model, ids.flatten().tolist())
