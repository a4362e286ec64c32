"""A tokenised corpus: every token with the characters of its document that it covers.

1. Text is encoded without special tokens (:mod:`actmax.inputs.bos` adds BOS) by the model's own fast
   tokenizer, which gives for every token where in the text it begins and ends.
2. A document longer than 100,000 characters is encoded in pieces cut before a space. Byte-level BPE cuts
   there in any case, so its tokens are the same; other tokenizers may differ in the two tokens at a cut.
3. Ids and offsets lie in flat files in the cache, mapped into memory: 12 bytes per token.

A character that needs several tokens (an emoji, rare scripts) gives each of them the same place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int32, UInt32
from transformers import PreTrainedTokenizerBase

from actmax.corpus.packed import Packed, pack
from actmax.errors import ActmaxError

PIECE = 100_000
"""The longest stretch of text that is encoded at once, in characters."""


@dataclass(frozen=True)
class Tokens:
    """A corpus as token ids, with its text."""

    name: str
    """The name as results record it: ``wikipedia-excerpt``, or the last part of a path."""
    text_sha256: str
    """A hash of the text of all documents and of their bounds."""
    tokenizer_sha256: str
    attribution: str
    """The attribution to show wherever text is shown; empty where none is required."""
    texts: Packed
    names: Packed
    """The name of each document: a title, ``file.jsonl line 3``."""
    ids: Int32[np.ndarray, " n_tokens"]
    starts: UInt32[np.ndarray, " n_tokens"]
    """The first character of each token, in its document."""
    ends: UInt32[np.ndarray, " n_tokens"]
    """One past the last character of each token."""
    bounds: Int[np.ndarray, " n_documents_plus_1"]
    """The first token of each document."""
    tokenizer: PreTrainedTokenizerBase
    skipped: tuple[str, ...] = ()
    """Phrases with counts for what could not be read and was left out or replaced."""

    @property
    def n_tokens(self) -> int:
        """The number of tokens in the corpus, without BOS and padding."""
        return len(self.ids)

    @property
    def n_documents(self) -> int:
        """The number of documents in the corpus."""
        return len(self.bounds) - 1


def tokens_of_texts(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, name: str = "texts", attribution: str = ""
) -> Tokens:
    """A corpus of texts in memory, each of them a document.

    Raises:
        ActmaxError: there is no text at all, or the tokenizer cannot tell where its tokens lie in the text.
    """
    filled = [text for text in texts if text]
    if not filled:
        raise ActmaxError(f"The corpus {name!r} holds no text; give it some.")
    packed = pack(filled)
    ids, starts, ends, counts = [], [], [], []
    for chunk in encode(packed, tokenizer):
        ids.append(chunk.ids)
        starts.append(chunk.starts)
        ends.append(chunk.ends)
        counts += chunk.counts
    return Tokens(
        name=name,
        text_sha256=text_hash(filled),
        tokenizer_sha256=tokenizer_hash(tokenizer),
        attribution=attribution,
        texts=packed,
        names=pack([f"document {number}" for number in range(len(filled))]),
        ids=np.concatenate(ids),
        starts=np.concatenate(starts),
        ends=np.concatenate(ends),
        bounds=np.cumsum([0, *counts], dtype=np.int64),
        tokenizer=tokenizer,
    )


@dataclass(frozen=True)
class Chunk:
    """Some whole documents, tokenised."""

    ids: Int32[np.ndarray, " n"]
    starts: UInt32[np.ndarray, " n"]
    ends: UInt32[np.ndarray, " n"]
    counts: list[int]
    """The number of tokens of each document."""


def encode(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, at_once: int = 10 * PIECE
) -> Iterator[Chunk]:
    """Tokenise documents in groups of about ``at_once`` characters.

    Raises:
        ActmaxError: the tokenizer cannot tell where its tokens lie in the text (it is not a fast one).
    """
    if not tokenizer.is_fast:
        raise ActmaxError(
            "This model's tokenizer cannot tell where its tokens lie in the text; convert it to a fast one"
            " (tokenizer.json) to observe it."
        )
    pieces: list[str] = []
    offsets: list[int] = []
    counts: list[int] = []
    held = 0
    for number in range(len(texts)):
        text = texts[number]
        cut = list(_pieces(text))
        counts.append(len(cut))
        pieces += [text[start:stop] for start, stop in cut]
        offsets += [start for start, _ in cut]
        held += len(text)
        if held >= at_once:
            yield _encode(pieces, offsets, counts, tokenizer)
            pieces, offsets, counts, held = [], [], [], 0
    if counts:
        yield _encode(pieces, offsets, counts, tokenizer)


def _encode(
    pieces: list[str], offsets: list[int], counts: list[int], tokenizer: PreTrainedTokenizerBase
) -> Chunk:
    read = tokenizer(
        pieces,
        add_special_tokens=False,
        padding=False,
        truncation=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    ids = [np.asarray(row, dtype=np.int32) for row in read["input_ids"]]
    spans = [
        np.asarray(row, dtype=np.int64).reshape(-1, 2) + first
        for row, first in zip(read["offset_mapping"], offsets, strict=True)
    ]
    lengths = np.asarray([len(row) for row in ids], dtype=np.int64)
    ends = np.cumsum(counts)
    span = np.concatenate(spans) if spans else np.empty((0, 2), dtype=np.int64)
    return Chunk(
        ids=np.concatenate(ids) if ids else np.empty(0, dtype=np.int32),
        starts=span[:, 0].astype(np.uint32),
        ends=span[:, 1].astype(np.uint32),
        counts=[int(lengths[end - n : end].sum()) for end, n in zip(ends, counts, strict=True)],
    )


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """The bounds of stretches of at most :data:`PIECE` characters, cut before a space between two words."""
    start = 0
    while len(text) - start > PIECE:
        stop = start + PIECE
        cut = text.rfind(" ", start + PIECE // 2, stop)
        while cut > 0 and (text[cut - 1].isspace() or text[cut + 1].isspace()):
            cut = text.rfind(" ", start + PIECE // 2, cut)
        if cut > start:
            stop = cut
        yield start, stop
        start = stop
    if start < len(text):
        yield start, len(text)


def tokenizer_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of everything that decides how text becomes ids."""
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode("utf-8")).hexdigest()


def text_hash(texts: Sequence[str]) -> str:
    """SHA-256 of documents: each one's length in bytes, then its bytes."""
    digest = hashlib.sha256()
    for number in range(len(texts)):
        data = texts[number].encode("utf-8")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()
