"""BOS: each policy, and never twice."""

from __future__ import annotations

import pytest
from tests.tiny import tiny_tokenizer
from transformers import PreTrainedTokenizerFast

from actmax.errors import ActmaxError
from actmax.inputs.bos import bos_id, bos_policy


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
