"""Finding targets in a tokenised corpus: words as token sequences, and rules over the text.

A word is encoded as it stands in running text (with a leading space) and at the beginning of a line (without
one), and the corpus is searched for these sequences of ids, all positions at once. A sequence counts where
the text agrees: the word must be whole, so ``cat`` is not found in ``cathedral``, ``cats`` or ``cat's``.
Rules (regular expressions, capitalised words) are matched in the text; the tokens that hold any of the
matched characters are the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from actmax.corpus.tokens import Tokens
from actmax.errors import ActmaxError

JOINERS = "'’-"
"""Between two letters these make one longer word."""

PROPER = r"(?<=[\w,;)] )[A-ZÀ-ÖØ-Þ][^\W\d_]*[a-zß-öø-ÿ][^\W\d_]*"
"""A capitalised word in the middle of a sentence: after a word, a comma or a bracket, and one space."""

LOWER = r"(?<=[\w,;)] )[a-z]{2,}"
"""A word in lower case in the middle of a sentence."""


@dataclass(frozen=True)
class Match:
    """A target in the corpus: tokens ``start`` to ``stop``."""

    start: int
    stop: int
    word: str


def find_words(tokens: Tokens, words: Iterable[str]) -> list[Match]:
    """Every whole occurrence of the words, as they are written, in the order of the corpus."""
    found: dict[int, Match] = {}  # by where it ends: with its space as a token of its own it is found twice
    for word in words:
        for sequence in sequences_of(tokens, word):
            for start in occurrences(tokens.ids, sequence).tolist():
                stop = start + len(sequence)
                if stop not in found and _is_whole(tokens, start, stop, word):
                    found[stop] = Match(start, stop, word)
    return [found[stop] for stop in sorted(found)]


def sequences_of(tokens: Tokens, word: str) -> list[tuple[int, ...]]:
    """The ids of a word with a leading space and without."""
    forms = (f" {word}", word)
    encoded = [tuple(tokens.tokenizer(form, add_special_tokens=False)["input_ids"]) for form in forms]
    return [ids for ids in dict.fromkeys(encoded) if ids]


def occurrences(ids: Int[np.ndarray, " n"], sequence: tuple[int, ...]) -> Int[np.ndarray, " found"]:
    """Where a sequence of ids begins."""
    last = len(ids) - len(sequence) + 1
    if last < 1:
        return np.empty(0, dtype=np.int64)
    starts = np.flatnonzero(np.asarray(ids[:last]) == sequence[0])
    for offset, wanted in enumerate(sequence[1:], start=1):
        starts = starts[np.asarray(ids[starts + offset]) == wanted]
    return starts


def find_pattern(tokens: Tokens, pattern: str, *, whole: bool = False) -> list[Match]:
    """Every match of a regular expression in the text; with ``whole`` only those that are whole words.

    Raises:
        ActmaxError: it is not a regular expression.
    """
    wanted = compiled(pattern)
    found = []
    for document in range(tokens.n_documents):
        text = tokens.texts[document]
        spans = [m.span() for m in wanted.finditer(text) if m.end() > m.start()]
        if whole:
            spans = [(a, b) for a, b in spans if is_word(text, a, b)]
        if not spans:
            continue
        first, last = int(tokens.bounds[document]), int(tokens.bounds[document + 1])
        starts, ends = tokens.starts[first:last], np.maximum.accumulate(tokens.ends[first:last])
        begin = np.searchsorted(ends, [a for a, _ in spans], side="right")
        stop = np.searchsorted(starts, [b for _, b in spans], side="left")
        found += [
            Match(first + int(i), first + int(j), text[a:b])
            for (a, b), i, j in zip(spans, begin, stop, strict=True)
            if j > i
        ]
    return found


def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression.

    Raises:
        ActmaxError: it is none.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ActmaxError(f"{pattern!r} is not a regular expression ({error}); correct it.") from error


def find_length(tokens: Tokens, least: int, most: int | None) -> list[Match]:
    """Whole words of one token with ``least`` to ``most`` letters."""
    bound = "" if most is None else str(most)
    return [
        match
        for match in find_pattern(tokens, rf"[^\W\d_]{{{least},{bound}}}", whole=True)
        if match.stop - match.start == 1
    ]


def is_word(text: str, begin: int, end: int) -> bool:
    """Whether the characters ``begin`` to ``end`` are not part of a longer word."""
    return not (_joined(text, begin - 1, -1) or _joined(text, end, 1))


def _joined(text: str, at: int, step: int) -> bool:
    """Whether the character ``at`` goes on with the word; ``step`` leads away from the word."""
    if not 0 <= at < len(text):
        return False
    if text[at].isalnum() or text[at] == "_":
        return True
    beyond = at + step
    return text[at] in JOINERS and 0 <= beyond < len(text) and text[beyond].isalnum()


def _is_whole(tokens: Tokens, start: int, stop: int, word: str) -> bool:
    document = document_of(tokens, start)
    if stop > int(tokens.bounds[document + 1]):
        return False
    text = tokens.texts[document]
    end = int(tokens.ends[stop - 1])
    begin = end - len(word)
    return begin >= 0 and text[begin:end] == word and is_word(text, begin, end)


def document_of(tokens: Tokens, where: int) -> int:
    """The document of a corpus position."""
    return int(np.searchsorted(tokens.bounds, where, side="right")) - 1


def spread(matches: list[Match], most: int, rng: np.random.Generator) -> list[Match]:
    """At most ``most`` of the matches, drawn at random, as evenly over their words as there are enough.

    Returns them in the order of the corpus.
    """
    if len(matches) <= most:
        return matches
    turns: dict[str, int] = {}
    ranked = []
    for place in rng.permutation(len(matches)).tolist():
        word = matches[place].word
        turns[word] = turns.get(word, -1) + 1
        ranked.append((turns[word], place))
    ranked.sort(key=lambda pair: pair[0])
    kept = sorted(place for _, place in ranked[:most])
    return [matches[place] for place in kept]
