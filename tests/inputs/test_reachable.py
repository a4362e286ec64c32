"""Which tokens a text can give, for every kind of tokenizer: judged where the token stands."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.models.test_gguf_tokenizer import sentencepiece_keys
from tests.tiny import tiny_net, tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from actmax.inputs.allowed import BYTES, UNREACHABLE, Allowed, allowed_tokens
from actmax.models.gguf_tokenizer import tokenizer_of
from actmax.models.load import wrap

LETTERS = ["t", "h", "e", "n", "o"]
BYTE_PIECES = [f"<0x{byte:02X}>" for byte in range(256)]


def fast(tokenizer: Tokenizer) -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>")


def bpe(prefix: bool) -> Any:
    return tokenizer_of(sentencepiece_keys(add_space_prefix=prefix), Path("m.gguf"))


def metaspace_bpe() -> Any:
    words = ["▁", *LETTERS, ",", ".", "▁t", "he", "▁the"]
    vocab = {piece: index for index, piece in enumerate(["<unk>", "<s>", *BYTE_PIECES, *words])}
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he")]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.add_special_tokens(["<unk>", "<s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return fast(tokenizer)


def unigram() -> Any:
    scores = {"▁": -3.0, "▁the": -1.0, "the": -1.5, "n": -2.0, ",": -2.5, "on": -1.7}
    pieces = [("<unk>", 0.0), ("<s>", 0.0), *((piece, -9.0) for piece in BYTE_PIECES), *scores.items()]
    pieces += [(letter, -4.0) for letter in LETTERS if letter not in scores]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.add_special_tokens(["<unk>", "<s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always")]
    )
    return fast(tokenizer)


def wordpiece() -> Any:
    words = ["<unk>", "<s>", "the", "x", "7", "##the", "##n", "##7", "t", "##o", "q##", ".", "("]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.add_special_tokens(["<unk>", "<s>"])
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return fast(tokenizer)


def byte_level_with_prefix() -> Any:
    tokenizer = Tokenizer.from_str(tiny_tokenizer().backend_tokenizer.to_str())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return fast(tokenizer)


KINDS: dict[str, Callable[[], Any]] = {
    "sentencepiece": lambda: bpe(True),
    "sentencepiece without a space": lambda: bpe(False),
    "metaspace": metaspace_bpe,
    "unigram": unigram,
    "wordpiece": wordpiece,
    "byte-level": tiny_tokenizer,
    "byte-level with a space": byte_level_with_prefix,
}


def mask_of(tokenizer: Any) -> tuple[Allowed, list[str]]:
    """The mask, and the names of the tokens that it leaves out for good."""
    model = wrap(tiny_net("llama", vocab_size=len(tokenizer)), tokenizer)
    allowed = allowed_tokens(model)
    return allowed, tokenizer.convert_ids_to_tokens((~allowed.mask).nonzero().flatten().tolist())


@pytest.mark.parametrize("kind", list(KINDS))
def test_exactly_the_tokens_that_some_text_gives_are_allowed(kind: str) -> None:
    """Every text of up to four of these parts is encoded; what comes out is what can be reached."""
    tokenizer = KINDS[kind]()
    allowed, _ = mask_of(tokenizer)
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    ids = [i for i in range(len(tokenizer)) if i not in special]
    own = {str(tokenizer.decode([i])).removeprefix("##") for i in ids}
    parts = sorted(own | {" ", "x", "the", "\n"})
    parts = [part for part in parts if part and "\ufffd" not in part][:400]
    texts = [
        *parts,
        *(a + b for a, b in itertools.product(["x", "the", ".", "\n", "7", " ", "é", "t", "o"], parts)),
    ]
    given = {i for row in tokenizer(texts, add_special_tokens=False)["input_ids"] for i in row} - special
    given = {i for i in given if "\ufffd" not in tokenizer.decode([i]) or not tokenizer.decode([i])}
    found = set(allowed.ids.tolist())
    assert found - given == set(), tokenizer.convert_ids_to_tokens(sorted(found - given))
    assert given - found == set(), tokenizer.convert_ids_to_tokens(sorted(given - found))


def test_half_of_a_sentencepiece_vocabulary_is_not_masked() -> None:
    allowed, out = mask_of(metaspace_bpe())
    assert not set(out) & {"h", "e", "he", ",", ".", "<0x21>", "▁", "▁the", "<0x0A>"}
    assert {"<0x2C>", "<0x74>"} <= set(out), "bytes of what has a piece of its own"
    assert allowed.left_out[BYTES] == 128
    assert allowed.left_out[UNREACHABLE] < 20


def test_word_pieces_are_reached_behind_a_word() -> None:
    _, out = mask_of(wordpiece())
    assert {"##n", "##7", "##o", "the"}.isdisjoint(out)
    assert "q##" in out
