"""A fast tokenizer made of the tokenizer in a GGUF file, and of nothing else.

Two kinds are built here, piece by piece as the file describes them; every other kind is refused by name.

- Byte-level BPE (``tokenizer.ggml.model`` = ``gpt2``): vocabulary, merges, and how text is cut before merging
  (``tokenizer.ggml.pre``, a name whose pattern is in :data:`CUTS`).
- SentencePiece (``llama``): pieces with scores. The pair whose piece has the highest score merges first,
  which is BPE with the pairs ranked by score; text without a piece falls back to bytes. ``add_space_prefix``
  says whether a space is put before a text.

Tokens of the kinds "control" and "user defined" are matched whole. Nothing is prepended or appended:
whether a sequence starts with BOS is a policy of the caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from actmax.errors import ActmaxError
from actmax.models.complaints import plain_errors
from actmax.models.gguf_read import ELSE, short

_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4
_START = "tokenizer.ggml."
_SPACE = "▁"

USED = frozenset({"model", "pre", "tokens", "scores", "token_type", "merges", "add_space_prefix"})
"""The keys after ``tokenizer.ggml.`` that are read here, with those of :data:`SPECIAL`."""
SPECIAL = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
"""The names of the special tokens in transformers, and those in GGUF."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "add_bos_token": (True, False),
    "add_eos_token": (True, False),
    "add_sep_token": (True, False),
    "remove_extra_whitespaces": (False,),
    "token_type_count": (0, 1),
}
"""Keys that change nothing with these values: whether BOS or EOS is added is a policy of the caller."""

_BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
_DIGITS = pre_tokenizers.Digits(individual_digits=True)
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


@dataclass(frozen=True)
class Cut:
    """How text is cut into pieces before merging."""

    pieces: pre_tokenizers.PreTokenizer
    whole_words: bool = False
    """Whether a piece that is a token is taken whole, whatever the merges would give."""


_DIGIT_WISE = Cut(pre_tokenizers.Sequence([_DIGITS, _BYTE_LEVEL]))

CUTS: Mapping[str, Cut] = {
    **dict.fromkeys(("gpt-2", "olmo", "phi-2", "mpt", "gpt-neox", "jais", "trillion"), Cut(_BYTE_LEVEL)),
    **dict.fromkeys(
        ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"), _DIGIT_WISE
    ),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3"), Cut(_split(_LLAMA3), whole_words=True)),
    **dict.fromkeys(("smaug-bpe", "dbrx", "chatglm-bpe"), Cut(_split(_LLAMA3))),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan"), Cut(_split(_QWEN2))),
    "tekken": Cut(_split(_TEKKEN), whole_words=True),
}
"""The cuts, by the name in ``tokenizer.ggml.pre``."""


def tokenizer_of(fields: Mapping[str, Any], path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer described by a GGUF file's metadata (``fields``, by key); ``path`` is for errors.

    Raises:
        ActmaxError: the file describes a tokenizer that cannot be built, or that contradicts itself.
    """
    label = path.name
    kind = fields.get(f"{_START}model")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ActmaxError(
            f"{label!r} describes its tokenizer in a way that cannot be read (kind {short(kind)}; those"
            f" that can are {' and '.join(map(repr, KINDS))}); {ELSE}"
        )
    _check_keys(fields, label)
    tokens, types = _tokens(fields, label)
    with plain_errors(label):
        tokenizer = KINDS[kind](fields, tokens, types, label)
        for these, special in (({_CONTROL, _UNKNOWN}, True), ({_USER_DEFINED}, False)):
            whole = [
                AddedToken(token, normalized=False, special=special)
                for token, its in zip(tokens, types, strict=True)
                if its in these and token
            ]
            (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(whole)
        factory: Any = PreTrainedTokenizerFast
        fast: PreTrainedTokenizerBase = factory(
            tokenizer_object=tokenizer,
            clean_up_tokenization_spaces=False,
            **{f"{ours}_token": _named(fields, theirs, tokens, label) for ours, theirs in SPECIAL.items()},
        )
    fast.chat_template = fields.get("tokenizer.chat_template")
    return fast


def _check_keys(fields: Mapping[str, Any], label: str) -> None:
    for key, value in fields.items():
        name = key.removeprefix(_START)
        if not key.startswith(_START) or name in USED or name.endswith(("_token_id", "_token_ids")):
            continue  # (other special tokens: the end of a turn, of a message, the places of a gap)
        if isinstance(value, list | dict) or value not in NEUTRAL.get(name, ()):
            raise ActmaxError(
                f"{label!r} sets {short(key, 100)} to {short(value)}, which reading its tokenizer does not"
                f" support; {ELSE}"
            )


def _tokens(fields: Mapping[str, Any], label: str) -> tuple[list[str], list[int]]:
    tokens = fields.get(f"{_START}tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ActmaxError(f"{label!r} holds no list of tokens; fetch or copy it again.")
    types = fields.get(f"{_START}token_type") or [_NORMAL] * len(tokens)
    whole = isinstance(types, list) and all(isinstance(kind, int) for kind in types)
    if not whole or len(types) != len(tokens):
        raise ActmaxError(f"{label!r} holds {len(tokens)} tokens but not one type for each; copy it again.")
    if len(set(tokens)) != len(tokens):
        twice, _ = Counter(tokens).most_common(1)[0]
        raise ActmaxError(f"{label!r} holds the token {short(twice)} twice; {ELSE}")
    return tokens, types


def _named(fields: Mapping[str, Any], name: str, tokens: list[str], label: str) -> str | None:
    index = fields.get(f"{_START}{name}_token_id")
    if index is None:
        return None
    if not isinstance(index, int) or not 0 <= index < len(tokens):
        raise ActmaxError(
            f"{label!r} names the token {short(index)} of {len(tokens)} as {name}; copy it again."
        )
    return tokens[index]


def _byte_level(fields: Mapping[str, Any], tokens: list[str], types: list[int], label: str) -> Tokenizer:
    default = "gpt-2" if fields.get("general.architecture") == "gpt2" else None  # older than the key
    name = fields.get(f"{_START}pre", default)
    if not isinstance(name, str) or name not in CUTS:
        raise ActmaxError(
            f"{label!r} cuts its text into pieces in the unknown way {short(name)}"
            f" (tokenizer.ggml.pre); {ELSE}"
        )
    if fields.get(f"{_START}add_space_prefix", False):
        raise ActmaxError(
            f"{label!r} sets 'tokenizer.ggml.add_space_prefix' for byte-level BPE, which does not read it;"
            f" {ELSE}"
        )
    merges = fields.get(f"{_START}merges")
    if not isinstance(merges, list):
        raise ActmaxError(f"{label!r} lacks the setting 'tokenizer.ggml.merges'; fetch or copy it again.")
    cut = CUTS[name]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[(left, right) for left, _, right in (merge.partition(" ") for merge in merges)],
            ignore_merges=cut.whole_words,
        )
    )
    tokenizer.pre_tokenizer = cut.pieces
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(fields: Mapping[str, Any], tokens: list[str], types: list[int], label: str) -> Tokenizer:
    scores = fields.get(f"{_START}scores")
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise ActmaxError(f"{label!r} holds {len(tokens)} tokens but not one score for each; copy it again.")
    pieces = {
        token: index
        for index, (token, its) in enumerate(zip(tokens, types, strict=True))
        if its in (_NORMAL, _USER_DEFINED)
    }
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[pair for _, pair in sorted(_pairs(pieces, scores), key=lambda one: one[0])],
            unk_token=_named(fields, "unknown", tokens, label),
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    prefix = bool(fields.get(f"{_START}add_space_prefix", True))
    spaces = normalizers.Replace(" ", _SPACE)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), spaces] if prefix else [spaces])
    strip = [decoders.Strip(" ", 1, 0)] if prefix else []
    steps = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    tokenizer.decoder = decoders.Sequence(steps)
    return tokenizer


def _pairs(
    pieces: Mapping[str, int], scores: list[float]
) -> Iterator[tuple[tuple[float, int, int], tuple[str, str]]]:
    """Every pair of pieces that is a piece, with its place in the order of merging: by score, then by ids."""
    for piece, index in pieces.items():
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in pieces and right in pieces:
                yield (-float(scores[index]), pieces[left], pieces[right]), (left, right)


KINDS: Mapping[str, Callable[[Mapping[str, Any], list[str], list[int], str], Tokenizer]] = {
    "gpt2": _byte_level,
    "llama": _sentencepiece,
}
"""How a tokenizer is built, by ``tokenizer.ggml.model``."""
