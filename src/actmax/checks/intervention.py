"""What free vectors and found texts reach, beside what real text does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actmax.checks.assumption import Material
from actmax.checks.examples import strongest_examples
from actmax.checks.likeness import agreement_numbers, resemblances
from actmax.checks.texts import DECODED, JudgedText, decoded_texts, judge_texts
from actmax.corpus.token_text import token_text
from actmax.results.finding import Number, Picture, Series
from actmax.results.investigate import SoftOptimum, TextFound

_DRAWN = 400
"""About how many corpus positions the picture shows."""


@dataclass(frozen=True)
class Intervention:
    """What was reached."""

    soft: SoftOptimum
    texts: tuple[TextFound, ...]
    """The most active first."""
    agreement: tuple[Number, ...]
    picture: Picture
    peak: float
    """The strongest position of a run's nearest tokens: the median over runs."""
    strong: float
    """The median of the strongest corpus examples."""

    def text_of(self, source: str | None) -> TextFound | None:
        """The best text of a source; None where there is none."""
        return next((one for one in self.texts if one.source == source), None)


def intervene(material: Material) -> Intervention:
    """Judge the unit's soft optima, their nearest tokens, and the texts of the material."""
    sample, optima = material.sample, material.optima
    rows = optima.rows(sample.unit)
    best = max(rows, key=lambda row: float(optima.final[row]))
    tokenizer = sample.model.tokenizer
    top = float(sample.values[0][sample.kept].max())
    reached = float(optima.final[best])

    def in_maxima(value: float) -> float | None:
        return value / top if top > 0 else None

    found = judge_texts(sample, [*decoded_texts(sample, optima), *material.texts])
    alike = resemblances(sample, found)
    texts = tuple(
        TextFound(
            one.source, one.text, one.activation, one.cross_entropy, in_maxima(one.activation), resemblance
        )
        for one, resemblance in zip(found, alike, strict=True)
    )
    return Intervention(
        soft=SoftOptimum(
            reached,
            float(optima.on_tokens[best]),
            tuple(token_text(tokenizer, int(i)) for i in optima.ids[best]),
            in_maxima(reached),
            len(rows),
            optima.steps,
        ),
        texts=texts,
        agreement=agreement_numbers(sample, found, alike, reached),
        picture=_scale(material, found, rows),
        peak=float(np.median([one.activation for one in texts if one.source == DECODED])),
        strong=float(np.median([sample.values[0][place] for place in strongest_examples(sample)])),
    )


def _scale(material: Material, texts: Sequence[JudgedText], rows: Sequence[int]) -> Picture:
    sample, optima = material.sample, material.optima
    values = np.sort(sample.values[0][sample.kept].astype(np.float64))
    some = values[:: max(1, len(values) // _DRAWN)].tolist()
    strongest = [float(sample.values[0][place]) for place in strongest_examples(sample)]
    return Picture(
        "strips",
        "How large does it get?",
        "activation",
        "",
        (
            Series("soft optima", tuple(float(optima.final[row]) for row in rows), ()),
            Series("their nearest tokens", tuple(float(optima.on_tokens[row]) for row in rows), (), "other"),
            Series("texts found, strongest position", tuple(one.activation for one in texts), (), "other"),
            Series("strongest in the corpus", tuple(strongest), (), "control"),
            Series("all of the corpus", tuple(some), (), "control"),
        ),
        f"What {len(rows)} runs of free vectors reach after {optima.steps} steps, what their nearest tokens"
        f" and the found texts give, the {len(strongest)} strongest corpus examples, and {sample.n:,} corpus"
        " positions (thinned).",
        log=True,
    )
