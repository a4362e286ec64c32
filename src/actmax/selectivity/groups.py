"""Groups: what a name, a rule or a file stands for, and its samples.

A group is written

- ``nouns``: the name of a group that comes with actmax (:data:`actmax.selectivity.named.BUILT_IN`);
- ``words:cat,dog``: these words; ``regex:PATTERN``: what a regular expression matches in a corpus;
  ``length:7`` (``length:3-5``, ``length:8-``): words of one token with that many letters in a corpus;
- ``FILE`` or ``FILE#LABEL``: the lines of a text file, or the records (with a label) of another file.

Words are read by themselves (only BOS before them) or where they occur in a corpus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from transformers import PreTrainedTokenizerBase

from actmax.corpus.tokens import Tokens
from actmax.errors import ActmaxError
from actmax.selectivity.files import GroupRow
from actmax.selectivity.find import Match, document_of, find_words, spread
from actmax.selectivity.sample import Sample, sample_of_text
from actmax.selectivity.settings import Space as Space
from actmax.selectivity.settings import WordsMode as WordsMode

_SHOWN_AFTER = 12
"""Tokens after a target that are shown."""


@dataclass(frozen=True)
class SampleSource:
    """Where samples are taken from, and how many."""

    tokenizer: PreTrainedTokenizerBase
    corpus: Tokens | None = None
    before: int = 32
    """Tokens of context in front of a target in the corpus."""
    after: int = 0
    """Tokens read after it (a causal model's target does not see them)."""
    most: int = 500
    """Samples of a group; more are drawn from at random, evenly over the words."""
    space: Space = "with"


@dataclass(frozen=True)
class FoundSamples:
    """The samples of one group."""

    samples: tuple[Sample, ...]
    total: int
    """How many there were to draw from."""
    missing: tuple[str, ...] = ()
    """Words of the list that never occur."""


@dataclass(frozen=True)
class Group:
    """A named way to get samples."""

    name: str
    """As it was written."""
    meaning: str
    """What it is, in a phrase."""
    needs_corpus: bool
    find: Callable[[SampleSource, np.random.Generator], FoundSamples]
    words: tuple[str, ...] = ()
    """Of a word list."""

    def samples(self, source: SampleSource, rng: np.random.Generator) -> FoundSamples:
        """The group's samples.

        Raises:
            ActmaxError: there is none, or a single one.
        """
        found = self.find(source, rng)
        if not found.samples:
            where = f"in the corpus {source.corpus.name!r}" if self.needs_corpus and source.corpus else "here"
            raise ActmaxError(
                f"The group {self.name!r} occurs nowhere {where}; give another group or another --corpus."
            )
        if len(found.samples) < 2:
            raise ActmaxError(
                f"The group {self.name!r} has one member ({found.samples[0].text!r}), and a comparison needs"
                " at least 2; add to it, or give more text with --corpus."
            )
        return found


def _words_alone(name: str, meaning: str, words: tuple[str, ...]) -> Group:
    def find(source: SampleSource, rng: np.random.Generator) -> FoundSamples:
        forms = {"with": (" ",), "without": ("",), "both": (" ", "")}[source.space]
        # Both forms of a word are one document: they never fall on two sides of a split.
        samples = [
            sample_of_text(source.tokenizer, space + word, word=word, document=word)
            for word in words
            for space in forms
        ]
        return _drawn(samples, source.most, rng)

    return Group(name, f"{meaning}, alone", False, find, words)


def _words_in_corpus(name: str, meaning: str, words: tuple[str, ...]) -> Group:
    def find(source: SampleSource, rng: np.random.Generator) -> FoundSamples:
        tokens = _corpus(name, source)
        matches = find_words(tokens, words)
        there = {match.word for match in matches}
        missing = tuple(word for word in words if word not in there)
        return _of_matches(tokens, matches, source, rng, missing)

    return Group(name, f"{meaning}, in running text", True, find, words)


def rule_group(name: str, meaning: str, search: Callable[[Tokens], list[Match]]) -> Group:
    """A group of what a rule finds in a corpus; the corpus that was searched last is not searched again."""
    known: dict[str, list[Match]] = {}

    def find(source: SampleSource, rng: np.random.Generator) -> FoundSamples:
        tokens = _corpus(name, source)
        key = f"{tokens.text_sha256} {tokens.tokenizer_sha256}"
        if key not in known:
            known.clear()
            known[key] = search(tokens)
        return _of_matches(tokens, known[key], source, rng, ())

    return Group(name, meaning, True, find)


def text_group(name: str, meaning: str, rows: list[GroupRow]) -> Group:
    """A group of texts, each read by itself."""

    def find(source: SampleSource, rng: np.random.Generator) -> FoundSamples:
        samples = [
            sample_of_text(source.tokenizer, row.text, target=row.target, document=row.document)
            for row in rows
        ]
        return _drawn(samples, source.most, rng)

    return Group(name, meaning, False, find)


def word_group(name: str, meaning: str, words: tuple[str, ...], mode: Literal["alone", "corpus"]) -> Group:
    """A group of words that are read by themselves or where they occur."""
    return (_words_alone if mode == "alone" else _words_in_corpus)(name, meaning, words)


def check_apart(a: Group, b: Group, of_a: FoundSamples, of_b: FoundSamples) -> None:
    """Raises :class:`ActmaxError` where the groups share a word or a sample."""
    shared = [word for word in a.words if word in set(b.words)]
    if not shared:
        taken = {key for sample in of_a.samples for key in _keys(sample)}
        shared = [sample.text for sample in of_b.samples if taken.intersection(_keys(sample))]
    if shared:
        more = f" and {len(shared) - 1} more are" if len(shared) > 1 else " is"
        raise ActmaxError(
            f"The groups {a.name!r} and {b.name!r} overlap: {shared[0]!r}{more} in both; take it out of one."
        )


def _keys(sample: Sample) -> list[tuple[object, ...]]:
    """Two samples overlap where they share a key: a corpus position, or the same text and target."""
    if sample.where >= 0:
        return [(sample.where + k,) for k in range(sample.stop - sample.start)]
    return [(sample.ids, sample.start, sample.stop)]


def _drawn(samples: list[Sample], most: int, rng: np.random.Generator) -> FoundSamples:
    total = len(samples)
    if total > most:
        samples = [samples[k] for k in sorted(rng.permutation(total)[:most])]
    return FoundSamples(tuple(samples), total)


def _corpus(name: str, source: SampleSource) -> Tokens:
    if source.corpus is None:
        raise ActmaxError(f"The group {name!r} is looked up in a corpus; name one with --corpus.")
    return source.corpus


def _of_matches(
    tokens: Tokens,
    matches: list[Match],
    source: SampleSource,
    rng: np.random.Generator,
    missing: tuple[str, ...],
) -> FoundSamples:
    drawn = spread(matches, source.most, rng)
    return FoundSamples(
        tuple(in_context(tokens, match, source.before, source.after) for match in drawn),
        len(matches),
        missing,
    )


def in_context(tokens: Tokens, match: Match, before: int, after: int) -> Sample:
    """A match with the tokens around it, cut at the ends of its document."""
    document = document_of(tokens, match.start)
    first, last = int(tokens.bounds[document]), int(tokens.bounds[document + 1])
    begin, end = max(first, match.start - before), min(last, match.stop + after)
    text = tokens.texts[document]
    shown = min(last, match.stop + max(after, _SHOWN_AFTER))
    left, right = int(tokens.starts[match.start]), int(tokens.ends[match.stop - 1])
    target = text[left:right]
    left += len(target) - len(target.lstrip())  # a token holds the space in front of its word
    right -= len(target) - len(target.rstrip())
    return Sample(
        tuple(int(i) for i in tokens.ids[begin:end]),
        match.start - begin,
        match.stop - begin,
        text[left:right],
        match.word,
        f"{tokens.name} {document}",
        where=match.start,
        before=text[int(tokens.starts[begin]) : left],
        after=text[right : int(tokens.ends[shown - 1])],
    )
