"""Texts that are said to drive a unit, and what the model really gives on them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from actmax.checks.sample import UnitSample
from actmax.checks.soft_batch import Optima
from actmax.models.read import read
from actmax.objectives.activation import along
from actmax.search.rescore import cross_entropy_of

DECODED = "soft ascent, nearest tokens"
"""The source of texts that are read off soft optima."""
GIVEN = "given"
"""The source of texts that the user gave."""
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class SourcedText:
    """A text that is said to drive the unit."""

    source: str
    """What found it: the name of a method, or ``given``."""
    text: str


@dataclass(frozen=True)
class JudgedText:
    """A text with its numbers."""

    source: str
    text: str
    ids: tuple[int, ...]
    activation: float
    """The largest at any of its positions, after BOS where the tokenizer has one."""
    peak: int
    """The position of the largest activation."""
    cross_entropy: float
    words: float
    """Share of its words that are in the dictionary; NaN where it has none."""
    reached: float
    """Share of corpus positions that reach the activation."""


def decoded_texts(sample: UnitSample, optima: Optima) -> list[SourcedText]:
    """The nearest tokens of the unit's soft optima as texts."""
    tokenizer = sample.model.tokenizer
    rows = optima.rows(sample.unit)
    return [SourcedText(DECODED, str(tokenizer.decode(optima.ids[row].tolist()))) for row in rows]


@torch.no_grad()
def judge_texts(sample: UnitSample, texts: Sequence[SourcedText]) -> list[JudgedText]:
    """Each text with its numbers, the most active first; texts without tokens are left out."""
    model = sample.model
    known = words_of_corpus(sample)
    corpus = sample.values[0][sample.kept]
    bos = sample.windows.bos
    judged = []
    for text in texts:
        ids = [int(i) for i in model.tokenizer.encode(text.text, add_special_tokens=False)]
        whole = ids if bos is None else [bos, *ids]
        if len(whole) < 2 or not ids:
            continue
        value = read(model, [sample.unit.site], ids=torch.tensor([whole], device=model.device))
        per_token = along(sample.unit, value[sample.unit.site])[0, 1:].float()
        shift = 0 if bos is not None else 1
        peak = int(per_token.argmax())
        activation = float(per_token[peak])
        words = words_of(text.text)
        judged.append(
            JudgedText(
                text.source,
                text.text,
                tuple(ids),
                activation,
                peak + shift,
                cross_entropy_of(model, ids),
                float(np.mean([word in known for word in words])) if words else float("nan"),
                float((corpus >= activation).mean()),
            )
        )
    return sorted(judged, key=lambda one: -one.activation)


def words_of(text: str) -> list[str]:
    """The words of a text in small letters."""
    return [word.lower() for word in _WORD.findall(text)]


def words_of_corpus(sample: UnitSample) -> frozenset[str]:
    """Words that the documents of the sample have at least twice."""
    counts: Counter[str] = Counter()
    for document in np.unique(sample.document):
        counts.update(words_of(sample.windows.tokens.texts[int(document)]))
    return frozenset(word for word, count in counts.items() if count > 1)
