"""Windows over a tokenised corpus: what the model reads, and the way back from every position to the text.

1. Each document is cut into stretches of ``length`` tokens (one fewer where BOS goes in front). A window
   never crosses from one document into another; the last of a document may be shorter and is padded at the
   end. The models are causal, so padding on the right changes nothing at the real positions.
2. Every token of the corpus has a running number, its *corpus position* (``where``): unique, increasing
   through the corpus, the same whatever windows are chosen. It leads back to document and character offset.
3. Position 0 of a window is never valid: it is BOS, or without BOS an attention sink.

Windows are found by number, so any process can read any of them, in any order, and get the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from actmax.corpus.tokens import Tokens
from actmax.errors import ActmaxError
from actmax.shapes import Ids


@dataclass(frozen=True)
class Batch:
    """Some windows, one per row."""

    ids: Ids
    """Token ids; BOS first where there is one, zeros as padding at the end."""
    valid: Bool[Tensor, "batch pos"]
    """False at position 0 and on padding."""
    document: Int[Tensor, " batch"]
    where: Int[Tensor, "batch pos"]
    """Corpus position of each token; -1 on BOS and on padding."""


@dataclass(frozen=True)
class Location:
    """A place in the corpus."""

    document: int
    offset: int
    """Character of the document at which the token begins."""
    name: str
    """The name of the document."""


@dataclass(frozen=True)
class Windows:
    """A corpus (or an even choice of its windows) as the model reads it. Make one with :func:`windows_of`."""

    tokens: Tokens
    length: int
    """Positions per window, with BOS."""
    bos: int | None
    """The id in front of every window, or None."""
    chosen: Int[np.ndarray, " n_windows"]
    """The numbers of these windows in the corpus, increasing."""

    @property
    def n_windows(self) -> int:
        """The number of windows."""
        return len(self.chosen)

    @cached_property
    def n_tokens(self) -> int:
        """The number of tokens in these windows, without BOS and padding."""
        begin, end = self._spans(self.chosen)[1:]
        return int((end - begin).sum())

    @cached_property
    def n_documents(self) -> int:
        """The number of documents that these windows come from."""
        return len(np.unique(self._spans(self.chosen)[0]))

    @cached_property
    def sha256(self) -> str:
        """A hash of the text, the tokenizer and every setting: equal hashes give equal batches."""
        settings = {
            "text": self.tokens.text_sha256,
            "tokenizer": self.tokens.tokenizer_sha256,
            "length": self.length,
            "bos": self.bos,
            "chosen": hashlib.sha256(self.chosen.astype("<i8").tobytes()).hexdigest(),
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode("utf-8")).hexdigest()

    def batch(self, start: int, stop: int) -> Batch:
        """Windows ``start`` to ``stop`` (fewer where there are no more)."""
        rows = self.chosen[start:stop]
        document, begin, end = self._spans(rows)
        shift = int(self.bos is not None)
        where = begin[:, None] + np.arange(self.length)[None, :] - shift
        real = (where >= begin[:, None]) & (where < end[:, None])
        ids = np.where(real, self.tokens.ids[np.where(real, where, 0)], 0).astype(np.int64)
        if self.bos is not None:
            ids[:, 0] = self.bos
        valid = real.copy()
        valid[:, 0] = False
        return Batch(
            ids=torch.from_numpy(ids),
            valid=torch.from_numpy(valid),
            document=torch.from_numpy(document),
            where=torch.from_numpy(np.where(real, where, -1)),
        )

    def locate(self, where: int) -> Location:
        """Document and character offset of a corpus position."""
        document = self._document(where)
        return Location(document, int(self.tokens.starts[where]), self.tokens.names[document])

    def context(self, where: int, before: int, after: int) -> tuple[str, str, str]:
        """The text around a corpus position: what comes before, the token's own text, what comes after.

        It holds at most ``before`` and ``after`` tokens, and never goes beyond the window: what the model did
        not read is not shown. The three joined are a stretch of the document, character for character; the
        own text of a token that is only some bytes of a character is that character at the first of them and
        empty at the others.
        """
        begin, end = self.window_span(where)
        cuts = self.cuts(max(begin, where - before), min(end, where + 1 + after))
        text = self.tokens.texts[self._document(where)]
        at = where - max(begin, where - before)
        return text[cuts[0] : cuts[at]], text[cuts[at] : cuts[at + 1]], text[cuts[at + 1] : cuts[-1]]

    def window_span(self, where: int) -> tuple[int, int]:
        """The first corpus position of the window that holds ``where``, and one past its last."""
        document = self._document(where)
        first = int(self._firsts[document])
        begin = first + max(0, where - first) // self._stride * self._stride
        return begin, min(begin + self._stride, int(self.tokens.bounds[document + 1]))

    def cuts(self, begin: int, end: int) -> list[int]:
        """Characters at which to cut a document so that each token of ``begin`` to ``end`` has its stretch.

        There is one more than there are tokens. Nothing is lost between two cuts: characters that a tokenizer
        leaves out of its offsets (a leading space) go to the token that follows.
        """
        document = self._document(begin)
        first, last = int(self.tokens.bounds[document]), int(self.tokens.bounds[document + 1])
        before = int(self.tokens.ends[begin - 1]) if begin > first else 0
        ends = np.maximum.accumulate([before, *self.tokens.ends[begin:end].tolist()])
        if end == last:
            ends[-1] = len(self.tokens.texts[document])
        return [int(cut) for cut in ends]

    def token(self, where: int) -> int:
        """The id at a corpus position."""
        return int(self.tokens.ids[where])

    @property
    def _stride(self) -> int:
        return self.length - int(self.bos is not None)

    @cached_property
    def _firsts(self) -> Int[np.ndarray, " n_documents"]:
        return _firsts(self.tokens, self.bos)

    @cached_property
    def _until(self) -> Int[np.ndarray, " n_documents_plus_1"]:
        return _windows_until(self.tokens, self._firsts, self._stride)

    def _document(self, where: int) -> int:
        if not 0 <= where < self.tokens.n_tokens:
            raise IndexError(f"corpus position {where} of {self.tokens.n_tokens}")
        return int(np.searchsorted(self.tokens.bounds, where, side="right")) - 1

    def _spans(
        self, rows: Int[np.ndarray, " n"]
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """The document, the first corpus position and one past the last, for windows by their number in the
        corpus."""
        document = np.searchsorted(self._until, rows, side="right") - 1
        begin = self._firsts[document] + (rows - self._until[document]) * self._stride
        end = np.minimum(begin + self._stride, self.tokens.bounds[document + 1])
        return document, begin, end


def windows_of(
    tokens: Tokens, *, length: int = 128, bos: int | None = None, max_tokens: int | None = None
) -> Windows:
    """Cut a tokenised corpus into windows.

    Args:
        tokens: the corpus.
        length: positions per window, with BOS; at least 2, as position 0 is never valid.
        bos: what :func:`actmax.inputs.bos.bos_id` gives. A document that begins with it does not get a second
            one.
        max_tokens: choose windows, evenly spread over the corpus, that hold about this many tokens (and at
            least one window); None for all.

    Raises:
        ActmaxError: a length below 2, or fewer than one token asked for.
    """
    if length < 2:
        raise ActmaxError(f"--window must be at least 2, as position 0 is not read (got {length}).")
    if max_tokens is not None and max_tokens < 1:
        raise ActmaxError(f"--max-tokens must be at least 1 (got {max_tokens}).")
    stride = length - int(bos is not None)
    until = _windows_until(tokens, _firsts(tokens, bos), stride)
    total = int(until[-1])
    if total == 0:
        raise ActmaxError(f"The corpus {tokens.name!r} has no token after its first one; give it more text.")
    wanted = total
    if max_tokens is not None and max_tokens < tokens.n_tokens:
        wanted = max(1, min(total, round(max_tokens * total / tokens.n_tokens)))
    chosen = np.arange(wanted, dtype=np.int64) * total // wanted
    return Windows(tokens, length, bos, chosen)


def _firsts(tokens: Tokens, bos: int | None) -> Int[np.ndarray, " n_documents"]:
    """The first corpus position of each document that goes into windows, after a BOS of its own."""
    begin, end = tokens.bounds[:-1], tokens.bounds[1:]
    if bos is None:
        return begin
    filled = end > begin
    begun = np.zeros(len(begin), dtype=bool)
    begun[filled] = tokens.ids[begin[filled]] == bos
    return begin + begun


def _windows_until(
    tokens: Tokens, firsts: Int[np.ndarray, " n_documents"], stride: int
) -> Int[np.ndarray, " n_documents_plus_1"]:
    """The number of windows before each document, and in the end the number of all."""
    counts = -(-(tokens.bounds[1:] - firsts) // stride)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
