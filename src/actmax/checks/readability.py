"""Can a human read it? Measured, not felt.

1. *Detection*: whether a simple predictor (:mod:`actmax.checks.predictor`), fitted on half of the documents,
   finds the strongest positions of the other half. The statistic is its AUC; random units of the site are
   predicted in the same way.
2. *Cross-entropy* of the best text found, in nats a token under the model itself, against stretches of the
   corpus of the same length.
3. *Dictionary words*: the share of the text's words that the corpus has at least twice.
4. *Rank*: how many positions of the corpus reach what the text gives at its strongest position.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from actmax.checks.measure import Measure, against
from actmax.checks.predictor import ORDER, TOP, Detection, detect
from actmax.checks.sample import Sample
from actmax.corpus.token_text import token_text
from actmax.models.read import read
from actmax.objectives.activation import along
from actmax.results.finding import Control, Group, Number, Passage, Picture, Series
from actmax.search.rescore import cross_entropy_of

SNIPPETS = 24
DECODED = "soft ascent, nearest tokens"
ASSUMPTION = "A human can read it"
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class FoundText:
    """A text that is said to drive the unit."""

    source: str
    """What found it, for example ``soft-ascent, decoded``."""
    text: str


@dataclass(frozen=True)
class Judged:
    """A text with its numbers."""

    source: str
    text: str
    ids: tuple[int, ...]
    activation: float
    """The largest at any of its positions, after BOS where the tokenizer has one."""
    peak: int
    cross_entropy: float
    words: float
    """Share of its words that are in the dictionary; NaN where it has none."""
    reached: float
    """Share of corpus positions that reach the activation."""


def readability(sample: Sample, texts: Sequence[FoundText], seed: int) -> Measure:
    """The unit's numbers, and the predictor for the sample's other units.

    The first of ``texts`` whose activation is the largest is the best text.
    """
    found = detect(sample, seed)
    mine, others = float(found.full[0]), found.full[1:].tolist()
    token, others_token = float(found.token[0]), found.token[1:].tolist()
    numbers = [
        Number(
            "detection_auc",
            "Detection on unseen text",
            mine,
            found.held_out,
            f"AUC of a simple predictor ({_used(found)}; fitted on {found.fitted:,} positions) for the"
            f" {100 * TOP:.0f} % strongest of {found.held_out:,} held-out positions: 0.5 is chance, 1 is"
            " certain.",
            (against(mine, others),),
            "cosine",
        ),
        Number(
            "token_auc",
            "From the token alone",
            token,
            found.held_out,
            f"The same AUC where the predictor knows only the token at the position ({found.held_out:,} held"
            " out).",
            (against(token, others_token),),
            "cosine",
        ),
    ]
    judged = judge_texts(sample, texts)
    if judged:
        numbers += _of_text(sample, judged[0], seed)
    return Measure(
        name="readability",
        assumption=ASSUMPTION,
        statistic=mine,
        others=tuple(others),
        numbers=tuple(numbers),
        pictures=(_scatter(found), _strip(mine, others)),
        groups=_groups(sample, judged),
        facts={"detection_auc": mine, "token_auc": token},
        words=(
            f"A simple predictor finds its strongest positions in unseen text with AUC {mine:.2f}, from the"
            f" token alone with {token:.2f}."
        ),
    )


@torch.no_grad()
def judge_texts(sample: Sample, texts: Sequence[FoundText]) -> list[Judged]:
    """Each text with its numbers, the most active first; texts without tokens are left out."""
    model = sample.model
    known = _dictionary(sample)
    kept = sample.values[0][sample.kept]
    bos = sample.windows.bos
    judged = []
    for text in texts:
        ids = [int(i) for i in model.tokenizer.encode(text.text, add_special_tokens=False)]
        whole = ids if bos is None else [bos, *ids]
        if len(whole) < 2 or not ids:
            continue
        value = read(model, [sample.unit.site], ids=torch.tensor([whole], device=model.device))
        along_text = along(sample.unit, value[sample.unit.site])[0, 1:].float()
        shift = 0 if bos is not None else 1
        peak = int(along_text.argmax())
        activation = float(along_text[peak])
        words = [word.lower() for word in _WORD.findall(text.text)]
        judged.append(
            Judged(
                text.source,
                text.text,
                tuple(ids),
                activation,
                peak + shift,
                cross_entropy_of(model, ids),
                float(np.mean([word in known for word in words])) if words else float("nan"),
                float((kept >= activation).mean()),
            )
        )
    return sorted(judged, key=lambda one: -one.activation)


def _of_text(sample: Sample, best: Judged, seed: int) -> list[Number]:
    snippets, words = _snippets(sample, len(best.ids), seed)
    higher = float(np.mean([one >= best.cross_entropy for one in snippets])) if snippets else float("nan")
    n = len(best.ids)
    return [
        Number(
            "cross_entropy",
            "Cross-entropy of the best text",
            best.cross_entropy,
            n,
            f"Nats a token of the best text found ({best.source}, {n} tokens) under the model; less is more"
            f" like language. {100 * higher:.0f} % of stretches of the corpus are as unlikely.",
            (Control(f"{len(snippets)} stretches of the corpus (median)", _median(snippets), len(snippets)),),
        ),
        Number(
            "dictionary_words",
            "Dictionary words",
            best.words,
            len(_WORD.findall(best.text)),
            f"Share of the {len(_WORD.findall(best.text))} words of that text that the corpus has at least"
            " twice.",
            (Control(f"{len(words)} stretches of the corpus (median)", _median(words), len(words)),),
            "percent",
        ),
        Number(
            "corpus_rank",
            "Corpus positions that reach it",
            best.reached,
            sample.n,
            f"Share of {sample.n:,} corpus positions at which the unit is at least as active as at the"
            f" strongest position of that text ({best.activation:.3g}).",
            (),
            "percent",
        ),
    ]


def _snippets(sample: Sample, length: int, seed: int) -> tuple[list[float], list[float]]:
    """Cross-entropies and shares of dictionary words of random stretches of the corpus."""
    rng = np.random.default_rng([seed, 31])
    known = _dictionary(sample)
    rows = [row for row in range(len(sample.where)) if int((sample.where[row] >= 0).sum()) > length]
    entropies, words = [], []
    for _ in range(SNIPPETS if rows else 0):
        row = int(rng.choice(rows))
        real = np.flatnonzero(sample.where[row] >= 0)
        start = int(rng.integers(len(real) - length))
        ids = sample.ids[row, real[start : start + length]].tolist()
        entropies.append(cross_entropy_of(sample.model, ids))
        said = [word.lower() for word in _WORD.findall(str(sample.model.tokenizer.decode(ids)))]
        if said:
            words.append(float(np.mean([word in known for word in said])))
    return entropies, words


def _dictionary(sample: Sample) -> frozenset[str]:
    """Words that the corpus has at least twice, in the documents that were read."""
    counts: Counter[str] = Counter()
    for document in np.unique(sample.document):
        counts.update(word.lower() for word in _WORD.findall(sample.windows.tokens.texts[int(document)]))
    return frozenset(word for word, count in counts.items() if count > 1)


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _scatter(found: Detection) -> Picture:
    order = np.argsort(-found.actual, kind="stable")
    some = np.concatenate([order[:150], order[150 :: max(1, len(order) // 350)]])
    return Picture(
        "points",
        "Predicted and measured activation",
        f"predicted from {_used(found)}",
        "measured",
        (
            Series(
                "held-out positions", tuple(found.scores[some].tolist()), tuple(found.actual[some].tolist())
            ),
        ),
        f"{len(some)} of {found.held_out:,} positions of documents that the predictor has not seen, the"
        " strongest among them. A rising cloud means that the unit can be told from the words.",
    )


def _used(found: Detection) -> str:
    """What the predictor goes by: the effects that hold on unseen text."""
    names = [name for name, weight in zip(ORDER, found.weights, strict=True) if weight > 0]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _strip(mine: float, others: list[float]) -> Picture:
    return Picture(
        "strips",
        "Beside other units",
        "AUC on unseen text",
        "",
        (Series("this unit", (mine,), ()), Series("random units", tuple(others), (), "control")),
        f"This unit's AUC among those of {len(others)} random units of the site, predicted in the same way.",
    )


def _groups(sample: Sample, judged: Sequence[Judged]) -> tuple[Group, ...]:
    tokenizer = sample.model.tokenizer
    made = []
    for one in judged[:4]:
        before = str(tokenizer.decode(list(one.ids[: one.peak]))) if one.peak else ""
        after = str(tokenizer.decode(list(one.ids[one.peak + 1 :])))
        token = token_text(tokenizer, one.ids[one.peak])
        made.append(Group(f"Text found by {one.source}", 1, (Passage(one.activation, before, token, after),)))
    return tuple(made)
