"""A human can read the unit: simple facts about the text predict it on text that was not used to find them.

1. *Detection*, which is judged: an additive predictor from the token, the token before, and the eight tokens
   before that (each effect a shrunken mean of what the previous ones leave over) is fitted on half of the
   documents. How much each effect counts is decided there too, on documents that it was not fitted on, so
   that an effect that does not hold is left out. The area under the ROC curve (AUC) for the 5 % strongest
   positions of the other half is 0.5 by chance and 1 at best. Random units are predicted in the same way.
2. *Cross-entropy of the best text found*, in nats per token under the model itself, beside 24 stretches of
   the corpus of the same length.
3. *Dictionary words*: the share of its words that the documents read hold at least twice.
4. *Corpus positions that reach it*: the share of positions at which the unit is at least as active as at the
   strongest position of that text.

The answer is `readable from the token` where the AUC from the token is at least 0.8, `readable from context`
where the AUC of all three effects is, `partly readable` where that is at least 0.65, and otherwise `not
readable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from actmax.checks.assumption import Material, Measure, Need
from actmax.checks.predictor import ORDER, TOP, Detection, detect
from actmax.checks.ranks import against, middle
from actmax.checks.sample import UnitSample
from actmax.checks.texts import GIVEN, JudgedText, decoded_texts, judge_texts, words_of, words_of_corpus
from actmax.corpus.token_text import token_text
from actmax.progress import Progress
from actmax.results.finding import Control, Number, Passage, PassageGroup, Picture, Series
from actmax.search.rescore import cross_entropy_of

SNIPPETS, TEXTS = 24, 4
READABLE, PARTLY = 0.8, 0.65
"""AUC from which the unit is readable, and readable in part."""


class Readability:
    """A human can read it."""

    name: ClassVar[str] = "readability"
    assumption: ClassVar[str] = "A human can read it"
    subject: ClassVar[str] = "how well words predict it"
    order: ClassVar[int] = 40
    needs: ClassVar[frozenset[Need]] = frozenset({"examples", "optimum"})

    def measure(self, material: Material, progress: Progress) -> Measure:
        """How well a simple predictor finds the strongest positions; the same for random units.

        The first of the texts whose activation is the largest is the best text.
        """
        sample, seed = material.sample, material.seed
        found = detect(sample, seed)
        mine, token = float(found.full[0]), float(found.token[0])
        numbers = _of_detection(found)
        judged: list[JudgedText] = []
        if not material.brief:
            judged = judge_texts(sample, [*decoded_texts(sample, material.optima), *material.texts])
        if judged:
            numbers += _of_text(sample, judged[0], seed)
        return Measure(
            statistic=mine,
            others=tuple(found.full[1:].tolist()),
            numbers=tuple(numbers),
            pictures=(_scatter(found), _strip(mine, found.full[1:].tolist())),
            groups=_groups(sample, judged),
            facts={"detection_auc": mine, "token_auc": token},
            words=(
                f"A simple predictor finds its strongest positions in unseen text with AUC {mine:.2f}, and"
                f" with {token:.2f} from the token only."
            ),
            observed=predicted_by_words(mine),
        )

    def answer(self, measure: Measure, *, meaningful: bool) -> str:
        """What the unit can be read from."""
        facts = measure.facts
        if facts["token_auc"] >= READABLE:
            return "readable from the token"
        if facts["detection_auc"] >= READABLE:
            return "readable from context"
        return "partly readable" if facts["detection_auc"] >= PARTLY else "not readable"


def _of_detection(found: Detection) -> list[Number]:
    mine, token = float(found.full[0]), float(found.token[0])
    return [
        Number(
            "detection_auc",
            "Detection on unseen text",
            mine,
            found.held_out,
            f"AUC of a simple predictor ({_used(found)}; fitted on {found.fitted:,} positions) for the"
            f" {100 * TOP:.0f} % strongest of {found.held_out:,} held-out positions: 0.5 is chance, 1 is"
            " certain.",
            (against(mine, found.full[1:].tolist()),),
            "cosine",
        ),
        Number(
            "token_auc",
            "From the token only",
            token,
            found.held_out,
            f"The same AUC where the predictor knows only the token at the position ({found.held_out:,} held"
            " out).",
            (against(token, found.token[1:].tolist()),),
            "cosine",
        ),
    ]


def _of_text(sample: UnitSample, best: JudgedText, seed: int) -> list[Number]:
    snippets, words = _snippets(sample, len(best.ids), seed)
    higher = float(np.mean([one >= best.cross_entropy for one in snippets])) if snippets else float("nan")
    as_unlikely = f" {100 * higher:.0f} % of stretches of the corpus are as unlikely." if snippets else ""
    n, said = len(best.ids), len(words_of(best.text))
    return [
        Number(
            "cross_entropy",
            "Cross-entropy of the best text",
            best.cross_entropy,
            n,
            f"Nats per token of the best text found ({best.source}, {n} tokens) under the model; less is more"
            f" like language.{as_unlikely}",
            (Control(f"{len(snippets)} stretches of the corpus (median)", middle(snippets), len(snippets)),),
        ),
        Number(
            "dictionary_words",
            "Dictionary words",
            best.words,
            said,
            f"Share of the {said} words of that text that the corpus has at least twice.",
            (Control(f"{len(words)} stretches of the corpus (median)", middle(words), len(words)),),
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


def _snippets(sample: UnitSample, length: int, seed: int) -> tuple[list[float], list[float]]:
    """Cross-entropies and shares of dictionary words of random stretches of the corpus."""
    rng = np.random.default_rng([seed, 31])
    known = words_of_corpus(sample)
    rows = [row for row in range(len(sample.where)) if int((sample.where[row] >= 0).sum()) > length]
    entropies, words = [], []
    for _ in range(SNIPPETS if rows else 0):
        row = int(rng.choice(rows))
        real = np.flatnonzero(sample.where[row] >= 0)
        start = int(rng.integers(len(real) - length))
        ids = sample.ids[row, real[start : start + length]].tolist()
        entropies.append(cross_entropy_of(sample.model, ids))
        said = words_of(str(sample.model.tokenizer.decode(ids)))
        if said:
            words.append(float(np.mean([word in known for word in said])))
    return entropies, words


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
        " strongest among them. A rising cloud means that words predict the unit.",
    )


def _used(found: Detection) -> str:
    """What the predictor goes by: the effects that hold on unseen text."""
    names = [name for name, weight in zip(ORDER, found.weights, strict=True) if weight > 0]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _strip(mine: float, others: Sequence[float]) -> Picture:
    return Picture(
        "strips",
        "Beside random units",
        "AUC on unseen text",
        "",
        (Series("this unit", (mine,), ()), Series("random units", tuple(others), (), "control")),
        f"This unit's AUC among those of {len(others)} random units of the site, predicted in the same way.",
    )


def _groups(sample: UnitSample, judged: Sequence[JudgedText]) -> tuple[PassageGroup, ...]:
    tokenizer = sample.model.tokenizer
    made = []
    for one in judged[:TEXTS]:
        before = str(tokenizer.decode(list(one.ids[: one.peak]))) if one.peak else ""
        after = str(tokenizer.decode(list(one.ids[one.peak + 1 :])))
        shown = Passage(one.activation, before, token_text(tokenizer, one.ids[one.peak]), after)
        title = "Text that was given" if one.source == GIVEN else f"Text found by {one.source}"
        made.append(PassageGroup(title, 1, (shown,)))
    return tuple(made)


def predicted_by_words(auc: float) -> str:
    """The clause of a conclusion: whether words predict where the unit is strong."""
    if auc >= READABLE:
        said = "predict where"
    elif auc >= PARTLY:
        said = "predict in part where"
    else:
        said = "do not predict where"
    return f"simple facts about the words {said} (AUC {auc:.2f}; chance is 0.5)"
