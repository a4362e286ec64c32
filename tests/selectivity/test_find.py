from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.selectivity.corpora import corpus
from tests.tiny import tiny_tokenizer

from actmax.corpus.tokens import Tokens
from actmax.errors import ActmaxError
from actmax.selectivity.find import (
    LOWER,
    PROPER,
    Match,
    document_of,
    find_length,
    find_pattern,
    find_words,
    is_word,
    occurrences,
    spread,
)

WHOLE = r"(?<![^\W])(?<![^\W]['’-]){}(?!\w)(?!['’-]\w)"
"""The rule for whole words, written once more as a regular expression."""


def shown(tokens: Tokens, match: Match) -> str:
    text = tokens.texts[document_of(tokens, match.start)]
    return text[int(tokens.starts[match.start]) : int(tokens.ends[match.stop - 1])].strip()


def characters(tokens: Tokens, matches: list[Match]) -> list[tuple[int, int]]:
    return [(document_of(tokens, m.start), int(tokens.ends[m.stop - 1])) for m in matches]


@pytest.mark.parametrize(
    "word", ["cat", "the", "not", "sea", "dog", "York", "nor", "東京", "naïve", "cathedral"]
)
def test_a_word_is_found_where_a_regular_expression_finds_it_whole(word: str) -> None:
    tokens = corpus()
    expected = [
        (document, found.end())
        for document in range(tokens.n_documents)
        for found in re.finditer(WHOLE.format(re.escape(word)), tokens.texts[document])
    ]
    found = find_words(tokens, [word])
    # A tokenizer may glue a mark to the word ("“cat”", "(Eve)"): such a token is not the word's sequence.
    assert set(characters(tokens, found)) <= set(expected)
    assert all(shown(tokens, match) == word for match in found)
    spaced = [
        (document, found.end())
        for document in range(tokens.n_documents)
        for found in re.finditer(r"(?:^| )" + WHOLE.format(re.escape(word)), tokens.texts[document])
    ]
    assert set(spaced) <= set(characters(tokens, found))


def test_an_occurrence_is_found_once() -> None:
    tokens = corpus("see Anna, Anna and (Anna)")
    assert len(tiny_tokenizer()(" Anna", add_special_tokens=False)["input_ids"]) > 4
    assert [shown(tokens, m) for m in find_words(tokens, ["Anna"])] == ["Anna"] * 3


def test_a_word_inside_a_longer_word_is_no_match() -> None:
    tokens = corpus("cathedral concat cats cat's non-cat cat-like the_cat cat2")
    assert find_words(tokens, ["cat"]) == []
    assert [shown(tokens, m) for m in find_words(tokens, ["cats", "cathedral"])] == ["cathedral", "cats"]


def test_a_sequence_does_not_cross_into_the_next_document() -> None:
    word = tiny_tokenizer()(" zoo", add_special_tokens=False)["input_ids"]
    tokens = corpus("a" + str(tiny_tokenizer().decode(word[:2])), str(tiny_tokenizer().decode(word[2:])))
    assert len(occurrences(tokens.ids, tuple(word))) == 1
    assert find_words(tokens, ["zoo"]) == []


@given(
    st.lists(st.integers(0, 2), min_size=0, max_size=40),
    st.lists(st.integers(0, 2), min_size=1, max_size=4),
)
def test_occurrences_are_those_of_a_loop(ids: list[int], sequence: list[int]) -> None:
    expected = [k for k in range(len(ids)) if ids[k : k + len(sequence)] == sequence]
    assert occurrences(np.array(ids, dtype=np.int32), tuple(sequence)).tolist() == expected


def test_proper_nouns_are_capitalised_inside_a_sentence() -> None:
    tokens = corpus()
    found = [shown(tokens, m) for m in find_pattern(tokens, PROPER, whole=True)]
    assert found == ["Anna", "Bell", "Bob", "Dog", "New", "York"]


def test_lower_case_words_are_inside_a_sentence_too() -> None:
    tokens = corpus("The cat sat. it ran, far")
    assert [shown(tokens, m) for m in find_pattern(tokens, LOWER, whole=True)] == ["cat", "sat", "ran", "far"]


def test_a_pattern_covers_every_token_that_it_touches() -> None:
    tokens = corpus()
    for match in find_pattern(tokens, r"[a-z]+ing for the [a-z]+"):
        assert shown(tokens, match) == match.word == "waiting for the tide"


def test_a_pattern_that_is_none_is_a_sentence() -> None:
    with pytest.raises(ActmaxError, match="not a regular expression"):
        find_pattern(corpus(), "(")


def test_words_by_length() -> None:
    tokens = corpus("the cat sat on a mat and it ran to sea")
    found = {shown(tokens, m) for m in find_length(tokens, 3, 3)}
    assert found
    assert all(len(word) == 3 for word in found)
    assert {shown(tokens, m) for m in find_length(tokens, 2, None)} >= found


def test_is_word_at_the_ends() -> None:
    assert is_word("cat", 0, 3)
    assert not is_word("cats", 0, 3)
    assert is_word("'cat'", 1, 4)
    assert not is_word("l'cat", 2, 5)


def test_a_draw_is_even_over_words_and_in_order() -> None:
    matches = [Match(k, k + 1, "often" if k % 10 else "rare") for k in range(200)]
    kept = spread(matches, 60, np.random.default_rng(0))
    counts = {word: sum(m.word == word for m in kept) for word in ("often", "rare")}
    assert counts == {"often": 40, "rare": 20}
    assert kept == sorted(kept, key=lambda m: m.start)
    assert spread(matches, 500, np.random.default_rng(0)) == matches
