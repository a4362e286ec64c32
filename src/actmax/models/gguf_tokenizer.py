"""A fast tokenizer from the tokenizer that a GGUF file carries.

Byte-level BPE (``tokenizer.ggml.model`` = ``gpt2``) is built here: vocabulary, merges, how text is cut before
merging (``tokenizer.ggml.pre``), and the tokens that are matched whole. Every other kind is left to
transformers. Nothing is prepended or appended: whether a sequence starts with BOS is a policy of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from actmax.errors import ActmaxError

_CONTROL, _USER_DEFINED = 3, 4

_BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
_DIGITS = pre_tokenizers.Digits(individual_digits=True)
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


_CUTS: Mapping[str, pre_tokenizers.PreTokenizer] = {
    "gpt-2": _BYTE_LEVEL,
    "olmo": _BYTE_LEVEL,
    "phi-2": _BYTE_LEVEL,
    "smollm": pre_tokenizers.Sequence([_DIGITS, _BYTE_LEVEL]),
    "starcoder": pre_tokenizers.Sequence([_DIGITS, _BYTE_LEVEL]),
    "refact": pre_tokenizers.Sequence([_DIGITS, _BYTE_LEVEL]),
    "llama-bpe": _split(_LLAMA3),
    "llama3": _split(_LLAMA3),
    "smaug-bpe": _split(_LLAMA3),
    "qwen2": _split(_QWEN2),
    "deepseek-r1-qwen": _split(_QWEN2),
}
"""How text is cut into pieces before merging, by the name that the file gives to it."""


def tokenizer_of(fields: Mapping[str, Any], path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer described by a GGUF file's metadata (``fields``, by key) at ``path``.

    Raises:
        ActmaxError: the file describes a tokenizer that neither actmax nor transformers can build.
    """
    if fields.get("tokenizer.ggml.model") == "gpt2" and fields.get("tokenizer.ggml.pre") in _CUTS:
        return _byte_level(fields)
    try:
        return AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name, trust_remote_code=False)
    except Exception as error:
        kind = fields.get("tokenizer.ggml.model")
        raise ActmaxError(
            f"{path.name!r} describes its tokenizer in a way that cannot be read (kind {kind!r});"
            " use the model's safetensors directory instead."
        ) from error


def _byte_level(fields: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    merges: list[str] = fields["tokenizer.ggml.merges"]
    kinds: list[int] = fields.get("tokenizer.ggml.token_type") or [1] * len(tokens)
    alphabet = set(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[(left, right) for left, _, right in (merge.partition(" ") for merge in merges)],
        )
    )
    tokenizer.pre_tokenizer = _CUTS[fields["tokenizer.ggml.pre"]]
    tokenizer.decoder = decoders.ByteLevel()
    for kind, special in ((_CONTROL, True), (_USER_DEFINED, False)):
        whole = [
            AddedToken(token, normalized=False, special=special)
            for token, its_kind in zip(tokens, kinds, strict=True)
            if its_kind == kind and (not special or set(token) <= alphabet)
        ]
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(whole)

    def named(key: str) -> str | None:
        index = fields.get(f"tokenizer.ggml.{key}_token_id")
        return None if index is None else tokens[index]

    factory: Any = PreTrainedTokenizerFast
    fast: PreTrainedTokenizerBase = factory(
        tokenizer_object=tokenizer,
        bos_token=named("bos"),
        eos_token=named("eos"),
        unk_token=named("unknown"),
        pad_token=named("padding"),
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = fields.get("tokenizer.chat_template")
    return fast
