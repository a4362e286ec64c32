"""Windows: every position leads back to its text, and none crosses a document."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tiny import tiny_model, tiny_tokenizer
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from actmax.corpus.tokens import PIECE, Tokens, tokens_of_texts
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.models.read import read
from actmax.models.sites import Site

TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), min_size=1, max_size=5
)


def corpus(texts: list[str]) -> Tokens:
    return tokens_of_texts(texts, tiny_tokenizer())


def all_of(windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    batch = windows.batch(0, windows.n_windows)
    return batch.ids.numpy(), batch.valid.numpy(), batch.document.numpy(), batch.where.numpy()


@settings(max_examples=60)
@given(texts=TEXTS, length=st.integers(2, 9), bos=st.sampled_from([None, 0]))
def test_every_token_is_in_one_window_of_its_document(texts: list[str], length: int, bos: int | None) -> None:
    tokens = corpus(texts)
    windows = windows_of(tokens, length=length, bos=bos)
    ids, valid, document, where = all_of(windows)
    real = where >= 0
    assert where[real].tolist() == list(range(tokens.n_tokens))
    np.testing.assert_array_equal(ids[real], tokens.ids)
    for row, places in enumerate(where):
        inside = places[places >= 0]
        assert len(inside)
        assert {windows.locate(int(place)).document for place in inside} == {int(document[row])}
        assert windows.window_span(int(inside[0])) == (inside[0], inside[-1] + 1)
    assert not valid[:, 0].any()
    np.testing.assert_array_equal(valid[:, 1:], real[:, 1:])
    if bos is not None:
        assert (ids[:, 0] == bos).all()
        assert not real[:, 0].any()
    assert windows.n_tokens == tokens.n_tokens


@settings(max_examples=60)
@given(texts=TEXTS)
def test_tokens_give_the_text_back(texts: list[str]) -> None:
    windows = windows_of(corpus(texts), length=8, bos=0)
    tokens = windows.tokens
    tokenizer = tokens.tokenizer
    for document, text in enumerate(texts):
        first, last = (int(bound) for bound in tokens.bounds[document : document + 2])
        stretches = [windows.context(where, 0, 0)[1] for where in range(first, last)]
        assert "".join(stretches) == text
        assert tokenizer.decode(tokens.ids[first:last].tolist()) == text
        for where in range(first, last):
            place = windows.locate(where)
            alone = tokenizer.decode([int(tokens.ids[where])])
            if "\ufffd" not in alone:
                assert text[place.offset : place.offset + len(alone)] == alone


def test_context_is_the_text_of_the_window_and_no_more() -> None:
    text = "the cat sat on the mat and the dog ran to the sea"
    windows = windows_of(corpus([text]), length=6, bos=0)
    for where in range(windows.tokens.n_tokens):
        before, token, after = windows.context(where, 99, 99)
        begin, end = windows.window_span(where)
        starts, ends = windows.tokens.starts, windows.tokens.ends
        assert before + token + after == text[int(starts[begin]) : int(ends[end - 1])]
        assert windows.context(where, 0, 0) == ("", token, "")


def test_bytes_of_one_character_share_its_place() -> None:
    windows = windows_of(corpus(["a😀b"]), length=16, bos=0)
    assert [windows.locate(where).offset for where in range(6)] == [0, 1, 1, 1, 1, 2]
    assert [windows.context(where, 0, 0)[1] for where in range(6)] == ["a", "😀", "", "", "", "b"]


def test_characters_left_out_of_offsets_go_to_the_token_that_follows() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"<unk>": 0, "cat": 1, "sat": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    windows = windows_of(tokens_of_texts(["  cat  sat "], tokenizer), length=4)
    assert [windows.context(where, 0, 0)[1] for where in range(2)] == ["  cat", "  sat "]


def test_a_long_document_is_tokenised_in_pieces_as_if_whole() -> None:
    text = "the cat sat on the mat " * (PIECE // 10)
    tokenizer = tiny_tokenizer()
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    np.testing.assert_array_equal(corpus([text]).ids, np.asarray(whole))


def test_a_document_that_begins_with_bos_keeps_its_one() -> None:
    windows = windows_of(corpus(["<s>the cat", "the cat"]), length=8, bos=0)
    ids, *_ = all_of(windows)
    assert ids[0].tolist() == ids[1].tolist()
    assert ids[0, 0] == 0
    assert ids[0, 1] != 0


def test_padding_changes_nothing_at_real_positions() -> None:
    model = tiny_model()
    windows = windows_of(corpus(["the cat", "the cat sat on the mat and ran"]), length=12, bos=0)
    batch = windows.batch(0, 1)
    n = int(batch.valid[0].sum()) + 1
    site = Site("blocks.2.hook_resid_post", 2)
    padded = read(model, [site], ids=batch.ids)[site]
    alone = read(model, [site], ids=batch.ids[:, :n])[site]
    torch.testing.assert_close(padded[:, :n], alone, rtol=1e-5, atol=1e-4)


def test_a_choice_of_windows_is_spread_and_keeps_its_places() -> None:
    tokens = corpus(["the cat sat on the mat and the dog ran to the sea " * 20] * 5)
    every = windows_of(tokens, length=8, bos=0)
    some = windows_of(tokens, length=8, bos=0, max_tokens=tokens.n_tokens // 4)
    assert abs(some.n_tokens - tokens.n_tokens // 4) <= 8
    assert some.n_documents == 5
    whole = every.batch(0, every.n_windows)
    rows = {int(row[1]): ids.tolist() for row, ids in zip(whole.where, whole.ids, strict=True)}
    batch = some.batch(0, some.n_windows)
    for row, ids in zip(batch.where, batch.ids, strict=True):
        assert rows[int(row[1])] == ids.tolist()


def test_the_hash_tells_what_batches_depend_on() -> None:
    texts = ["the cat sat on the mat", "the dog ran"]
    seen = {
        windows_of(corpus(texts), length=8, bos=0).sha256,
        windows_of(corpus(texts), length=9, bos=0).sha256,
        windows_of(corpus(texts), length=8).sha256,
        windows_of(corpus(texts), length=8, bos=0, max_tokens=4).sha256,
        windows_of(corpus(texts[::-1]), length=8, bos=0).sha256,
        windows_of(corpus(["".join(texts)]), length=8, bos=0).sha256,
    }
    assert len(seen) == 6
    assert windows_of(corpus(texts), length=8, bos=0).sha256 in seen


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ActmaxError, match="at least 2"):
        windows_of(corpus(["the cat"]), length=1)
    with pytest.raises(ActmaxError, match="at least 1"):
        windows_of(corpus(["the cat"]), max_tokens=0)
    with pytest.raises(ActmaxError, match="no text"):
        corpus(["", ""])
    windows = windows_of(corpus(["the cat"]), length=8)
    with pytest.raises(IndexError):
        windows.locate(10**6)


def test_a_tokenizer_without_offsets_is_refused() -> None:
    class Slow:
        is_fast = False

    slow: PreTrainedTokenizerBase = Slow()  # type: ignore[assignment]
    from actmax.corpus import tokens as corpus_tokens

    encode = corpus_tokens.encode
    with pytest.raises(ActmaxError, match="fast"):
        list(getattr(encode, "__wrapped__", encode)(["text"], slow))
