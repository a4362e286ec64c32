"""The tokenizer that a GGUF file carries, piece by piece."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.tiny_gguf import SPECIAL, TOKENS, byte_level_keys

from actmax.errors import ActmaxError
from actmax.models.gguf_tokenizer import CUTS, tokenizer_of

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = ["▁t", "▁th", "▁the", "he", "▁he", "ro", "ron", "▁heron", "heron", "er", "▁r", "▁", *"therondiv"]
SCORES = {word: -float(rank) for rank, word in enumerate(WORDS)}
PIECES = ["<unk>", "<s>", "</s>", *BYTES, *WORDS, "<turn>"]


def sentencepiece_keys(**changes: Any) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "model": "llama",
        "pre": "default",
        "tokens": PIECES,
        "scores": [SCORES.get(piece, 0.0) for piece in PIECES],
        "token_type": [2, 3, 3, *[6] * 256, *[1] * len(WORDS), 4],
        "unknown_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return {f"tokenizer.ggml.{key}": value for key, value in (keys | changes).items() if value is not None}


def pieces(keys: dict[str, Any], text: str) -> list[str]:
    tokenizer: Any = tokenizer_of(keys, Path("m.gguf"))
    found: list[str] = tokenizer.convert_ids_to_tokens(tokenizer.encode(text, add_special_tokens=False))
    return found


def by_score(text: str) -> list[str]:
    """SentencePiece's rule as its paper states it: the best neighbours merge, until none are a piece."""
    parts: list[str] = list(text)
    while True:
        pairs = [a + b for a, b in pairwise(parts)]
        best = [(SCORES[pair], -i) for i, pair in enumerate(pairs) if pair in SCORES]
        if not best:
            return parts
        at = -max(best)[1]
        parts = [*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]]


@settings(max_examples=200)
@given(st.text(alphabet="theron div", max_size=14))
def test_sentencepiece_merges_by_score(text: str) -> None:
    tokenizer = _TOKENIZER
    found = tokenizer.convert_ids_to_tokens(tokenizer.encode(text, add_special_tokens=False))
    assert found == (by_score("▁" + text.replace(" ", "▁")) if text else [])
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


_TOKENIZER = tokenizer_of(sentencepiece_keys(), Path("m.gguf"))


def test_sentencepiece_falls_back_to_bytes_and_keeps_whole_tokens() -> None:
    assert pieces(sentencepiece_keys(), "the, é") == ["▁the", "<0x2C>", "▁", "<0xC3>", "<0xA9>"]
    assert pieces(sentencepiece_keys(), "the<turn>the") == ["▁the", "<turn>", "▁the"]


def test_the_space_before_a_text_is_the_files() -> None:
    assert pieces(sentencepiece_keys(), "heron the") == ["▁heron", "▁the"]
    without = sentencepiece_keys(add_space_prefix=False)
    assert pieces(without, "heron the") == ["heron", "▁the"]
    assert pieces(without, " heron") == ["▁heron"]
    assert tokenizer_of(without, Path("m.gguf")).decode([PIECES.index("▁the")]) == " the"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "rwkv"}, r"cannot be read \(kind 'rwkv'; those that can are 'gpt2' and 'llama'\)"),
        ({"model": "t5"}, "kind 't5'"),
        ({"model": None}, "kind None"),
        ({"scores": None}, "not one score for each"),
        ({"token_type": [1]}, "not one type for each"),
        ({"tokens": [*PIECES[:-1], "<s>"]}, "holds the token '<s>' twice"),
        ({"bos_token_id": 9999}, "names the token 9999"),
        ({"remove_extra_whitespaces": True}, "sets 'tokenizer.ggml.remove_extra_whitespaces' to True"),
        ({"precompiled_charsmap": [1, 2]}, "sets 'tokenizer.ggml.precompiled_charsmap'"),
        ({"next_years_rule": 1}, "sets 'tokenizer.ggml.next_years_rule' to 1"),
    ],
)
def test_what_is_not_used_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ActmaxError, match=said):
        tokenizer_of(sentencepiece_keys(**changes), Path("m.gguf"))


def test_keys_that_change_nothing_are_let_through() -> None:
    more = {"add_bos_token": True, "add_eos_token": False, "eot_token_id": 2, "fim_pre_token_id": 1}
    assert pieces(sentencepiece_keys(**more), "the") == ["▁the"]


@pytest.mark.parametrize(
    ("cut", "text", "expected"),
    [
        ("gpt-2", "a 25000 b", ["a", "Ġ25000", "Ġb"]),
        ("smollm", "a 25000 b", ["a", "Ġ", *"25000", "Ġb"]),
        ("qwen2", "a 25000 b", ["a", "Ġ", *"25000", "Ġb"]),
        ("llama-bpe", "a 25000 b", ["a", "Ġ", "250", "00", "Ġb"]),
        ("smaug-bpe", "it'S\n\nx", ["it", "'S", "ĊĊ", "x"]),
        ("tekken", "camelCase/ 12", ["camel", "Case", "/", "Ġ", "1", "2"]),
        ("gpt-2", "it'S", ["it", "'", "S"]),
    ],
)
def test_text_is_cut_as_the_file_says(cut: str, text: str, expected: list[str]) -> None:
    backend: Any = tokenizer_of(byte_level_keys(cut), Path("m.gguf")).backend_tokenizer
    assert [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(text)] == expected


@pytest.mark.parametrize("cut", ["default", "a new one", "pixtral"])
def test_an_unknown_cut_is_named(cut: str) -> None:
    with pytest.raises(ActmaxError, match=f"in the unknown way '{cut}'"):
        tokenizer_of(byte_level_keys(cut), Path("m.gguf"))


def test_whole_words_are_taken_where_the_cut_says_so() -> None:
    """Llama 3's tokenizer takes a piece that is a token whole, whatever its merges would make of it."""
    tokens = [*TOKENS, "xyz"]
    for cut, expected in (("llama-bpe", ["xyz"]), ("qwen2", ["x", "y", "z"])):
        keys = byte_level_keys(cut) | {"tokenizer.ggml.tokens": tokens}
        keys["tokenizer.ggml.token_type"] = [3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL))
        assert pieces(keys, "xyz") == expected


def test_every_control_token_is_one_id() -> None:
    """Those of distilled models hold characters that no byte is written as."""
    turns = ["<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<with space>"]
    tokens = [*turns, *TOKENS, "<think>"]
    keys = byte_level_keys("qwen2") | {"tokenizer.ggml.tokens": tokens}
    keys["tokenizer.ggml.token_type"] = [3] * (len(turns) + len(SPECIAL)) + [1] * (len(tokens) - 8) + [4]
    text = "<｜User｜>hello<｜Assistant｜><think>a<with space><｜end▁of▁sentence｜>"
    found = pieces(keys, text)
    assert found == ["<｜User｜>", "hello", "<｜Assistant｜>", "<think>", "a", "<with space>", turns[2]]
    assert all(name in CUTS for name in ("llama-bpe", "qwen2", "smollm", "gpt-2"))
