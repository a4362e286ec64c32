"""Strong activation is important: what the unit does where it is strong changes the model's output.

Ten strongest, ten median and ten random examples (three of each for the shuffled copy), at most one from a
window and among its first 32 positions. Every change of the unit at that position is run on for four tokens.

1. *Relative effect*, which is judged: the Kullback-Leibler divergence of the next-token distribution (mean
   over four positions) when the unit is set to its corpus mean at its four strongest examples, over that of
   four reference units of the site moved as far at the same places. Random units are measured in the same
   way, each at its own strongest examples, so their ranks are comparable.
2. *Effect* in nats at strongest, median and random examples, beside random units moved as far towards their
   own mean at the same places.
3. *Rise of the loss*: by how much the text is predicted worse, in nats per token.
4. *Rank correlation* (Spearman) between the effect and the distance of the activation from its mean over all
   30 examples.
5. *Clamping up*: the unit is set to its corpus maximum at the median examples; the next tokens whose
   log-probability gains most are listed, and the effect is compared with random units pushed as far.

The answer is `nothing reads it` where no effect is above 1e-7 nats, `important` where the unit stands out,
and otherwise `no more than other units`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from actmax.checks.ablated import OWN, REFERENCES, Ablated, ablate, relative_effects
from actmax.checks.assumption import Material, Measure, Need
from actmax.checks.ranks import against
from actmax.checks.sample import UnitSample
from actmax.corpus.token_text import token_text
from actmax.progress import Progress
from actmax.results.finding import Number, Passage, PassageGroup, Picture, Series

EXAMPLES, BRIEFLY, GAINERS = 10, 3, 10
UNREAD = 1e-7
"""Nats up to which an effect is rounding."""


class Importance:
    """Strong activation is important."""

    name: ClassVar[str] = "importance"
    assumption: ClassVar[str] = "Strong activation is important"
    subject: ClassVar[str] = "what ablating it does"
    order: ClassVar[int] = 20
    needs: ClassVar[frozenset[Need]] = frozenset({"examples"})

    def measure(self, material: Material, progress: Progress) -> Measure:
        """The effect of ablation relative to other units; the same for random units."""
        sample, seed = material.sample, material.seed
        rows = ablate(sample, seed, progress, BRIEFLY if material.brief else EXAMPLES)
        ratios = relative_effects(sample, seed, progress)
        strong = rows.at("strongest")
        kl = rows.kl[strong].mean(axis=0)
        largest = float(rows.kl[:, 0].max(initial=0.0))
        return Measure(
            statistic=ratios[0],
            others=tuple(ratios[1:]),
            numbers=(*_of_ablation(rows, ratios), *_of_activation(rows)),
            pictures=_pictures(rows, ratios),
            groups=_gainers(sample, rows),
            facts={
                "ablation_kl": float(kl[0]),
                "largest_kl": largest,
                "loss": float(rows.loss[strong].mean(axis=0)[0]),
            },
            words=_words(float(kl[0]), kl[1:].tolist(), int(strong.sum())),
            remark="nothing in the model reads this unit" if largest <= UNREAD else "",
        )

    def answer(self, measure: Measure, *, meaningful: bool) -> str:
        """Whether ablating it does more than ablating other units."""
        if measure.facts["largest_kl"] <= UNREAD:
            return "nothing reads it"
        return "important" if meaningful else "no more than other units"


def spearman(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """Spearman's rank correlation; 0 where one of the two is constant."""
    ranks = rankdata(np.stack([x, y]).astype(np.float64), axis=1)
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    scale = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / scale) if scale > 0 else 0.0


def _of_ablation(rows: Ablated, ratios: Sequence[float]) -> list[Number]:
    """The effects of setting the unit to its mean."""
    strong = rows.at("strongest")
    kl = rows.kl[strong].mean(axis=0)
    mine, n = float(kl[0]), int(strong.sum())
    numbers = [
        Number(
            "relative_effect",
            "Effect of ablation, relative to its size",
            ratios[0],
            OWN,
            f"Effect on the output (KL divergence) of setting the unit to its mean at its {OWN} strongest"
            f" examples, over that of {REFERENCES} other units moved as far there: 1 is what any unit does,"
            " 0 nothing.",
            (against(ratios[0], ratios[1:]),),
        ),
        Number(
            "ablation_kl",
            "Effect of ablation where it is strongest",
            mine,
            n,
            "Mean KL divergence (nats) of the next-token distribution when the unit is set to its mean at"
            f" its {n} strongest examples; controls are moved as far.",
            (against(mine, kl[1:].tolist(), "random units, equal size"),),
        ),
    ]
    for kind in ("median", "random"):
        some = rows.kl[rows.at(kind)].mean(axis=0)
        count = int(rows.at(kind).sum())
        numbers.append(
            Number(
                f"ablation_kl_{kind}",
                f"The same at {kind} positions",
                float(some[0]),
                count,
                f"Mean KL divergence (nats) where the unit is set to its mean at {count} {kind} positions.",
                (against(float(some[0]), some[1:].tolist(), "random units, equal size"),),
            )
        )
    return numbers


def _of_activation(rows: Ablated) -> list[Number]:
    """The loss, the effect of zero and of clamping, and whether more activation does more."""
    strong = rows.at("strongest")
    loss = rows.loss[strong].mean(axis=0)
    ranks = [spearman(rows.size, rows.kl[:, k]) for k in range(rows.kl.shape[1])]
    push = rows.push.mean(axis=0)
    n, total = int(strong.sum()), len(rows.kind)
    return [
        Number(
            "ablation_loss",
            "Rise of the loss",
            float(loss[0]),
            n,
            f"How much worse (nats per token) the model predicts the text at the {n} strongest examples"
            " without the unit; below zero it predicts better.",
            (against(float(loss[0]), loss[1:].tolist(), "random units, equal size"),),
        ),
        Number(
            "zero_kl",
            "Effect of setting it to zero",
            float(rows.zero[strong].mean()),
            n,
            f"Mean KL divergence (nats) when the unit is set to zero, not to its mean, at its {n} strongest"
            " examples.",
            (),
        ),
        Number(
            "rank_correlation",
            "Does more activation matter more?",
            ranks[0],
            total,
            f"Spearman's correlation of effect with distance from the mean over {total} examples.",
            (against(ranks[0], ranks[1:], "random units, equal size"),),
            "cosine",
        ),
        Number(
            "clamp_kl",
            "Effect of clamping it up",
            float(push[0]),
            len(rows.push),
            "Mean KL divergence (nats) when the unit is set to its corpus maximum at"
            f" {len(rows.push)} positions where it is at its median.",
            (against(float(push[0]), push[1:].tolist(), "random units, pushed as far"),),
        ),
    ]


def _words(mine: float, others: Sequence[float], n: int) -> str:
    if not others:
        return f"Ablating it changes the output by {mine:.2g} nats."
    return (
        f"Setting it to its mean at its {n} strongest examples changes the next-token distribution by"
        f" {mine:.2g} nats; random units moved as far change it by {float(np.median(others)):.2g} (median)."
    )


def _pictures(rows: Ablated, ratios: Sequence[float]) -> tuple[Picture, ...]:
    middle = np.median(rows.kl[:, 1:], axis=1) if rows.kl.shape[1] > 1 else rows.kl[:, 0]
    sizes = tuple(rows.size.tolist())
    return (
        Picture(
            "points",
            "Effect against activation",
            "distance of the activation from its mean",
            "effect on the output (KL divergence, nats)",
            (
                Series("this unit", sizes, tuple(rows.kl[:, 0].tolist())),
                Series("random units, moved as far", sizes, tuple(middle.tolist()), "control"),
            ),
            f"Each of the {len(sizes)} examples: how far the unit was moved and what that did, beside the"
            " median of random units moved as far. Points above theirs mean that this unit is read more"
            " than they are.",
            log=True,
        ),
        Picture(
            "strips",
            "Beside random units",
            "effect relative to other units moved as far",
            "",
            (
                Series("this unit", (ratios[0],), ()),
                Series("random units", tuple(ratios[1:]), (), "control"),
            ),
            f"The first number of this unit among those of {len(ratios) - 1} random units of the site, each"
            " at its own strongest examples. 1 is what a unit of the site does on average.",
            log=True,
        ),
    )


def _gainers(sample: UnitSample, rows: Ablated) -> tuple[PassageGroup, ...]:
    tokenizer = sample.model.tokenizer
    size = min(len(tokenizer), len(rows.gain))
    best = np.argsort(-rows.gain[:size], kind="stable")[:GAINERS]
    found = tuple(Passage(float(rows.gain[i]), "", token_text(tokenizer, int(i)), "") for i in best)
    title = (
        f"Next tokens that gain when it is clamped up (nats, mean of {len(rows.push)} positions; random units"
        f" pushed as far give these {float(rows.others_gain[best].mean()):.2g} on average)"
    )
    return (PassageGroup(title, len(found), found),)
