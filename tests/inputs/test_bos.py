"""BOS: each policy, and never twice."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import tiny_tokenizer
from transformers import PreTrainedTokenizerFast

from actmax.errors import ActmaxError
from actmax.inputs.bos import bos_id, bos_policy, with_bos


def without_bos() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer().backend_tokenizer)


def test_auto_adds_where_the_tokenizer_defines_one() -> None:
    assert bos_id(tiny_tokenizer(), "auto") == 0
    assert bos_id(without_bos(), "auto") is None


def test_never_means_never() -> None:
    assert bos_id(tiny_tokenizer(), "never") is None


def test_always_refuses_a_tokenizer_without_one() -> None:
    assert bos_id(tiny_tokenizer(), "always") == 0
    with pytest.raises(ActmaxError, match="defines no BOS"):
        bos_id(without_bos(), "always")


def test_other_words_are_refused() -> None:
    assert bos_policy("never") == "never"
    with pytest.raises(ActmaxError, match="auto, always or never"):
        bos_policy("sometimes")


def test_bos_is_added_once_and_not_again() -> None:
    ids = torch.tensor([[5, 6], [7, 8]])
    once = with_bos(ids, 0)
    assert once.tolist() == [[0, 5, 6], [0, 7, 8]]
    assert with_bos(once, 0) is once
    assert with_bos(ids, None) is ids
    assert with_bos(ids[:, :0], 0).tolist() == [[0], [0]]


def test_rows_that_differ_are_refused() -> None:
    with pytest.raises(ActmaxError, match="one form"):
        with_bos(torch.tensor([[0, 5], [6, 7]]), 0)
