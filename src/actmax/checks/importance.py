"""Is strong activation important? Ablations of the unit at strong, median and random examples.

1. Of each kind of example 10 positions, one a window and among its first 32: the strongest, those around the
   median, and random ones.
2. Ablate the unit there: set it to its corpus mean (and to zero); measure the Kullback-Leibler divergence of
   the next-token distribution and the rise of the next-token loss, over the position and the three after it.
3. Control: random units of the site, each moved towards its own mean by as much as the unit was: ablations of
   equal size at the same places.
4. The statistic: the divergence at the unit's 4 strongest examples over that of 4 reference units moved as
   far there. Random units are treated in the same way, each at its own strongest examples, so that their
   ranks are comparable.
5. Spearman's rank correlation of divergence with the size of what was taken away, over all examples.
6. Clamp the unit to its corpus maximum at the median examples, and list the next tokens that gain; against
   random units pushed as far.

A control (a copy with shuffled weights) is measured at fewer examples of each kind: 3.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from actmax.checks.ablated import OWN, REFERENCES, Ablated, ablate, relative_effects
from actmax.checks.measure import Measure, against
from actmax.checks.sample import Sample
from actmax.corpus.token_text import token_text
from actmax.progress import Progress, silent
from actmax.results.finding import Group, Number, Passage, Picture, Series

EXAMPLES, BRIEFLY, GAINERS = 10, 3, 10
ASSUMPTION = "Strong activation is important"
KINDS = ("strongest", "median", "random")


def importance(sample: Sample, seed: int, progress: Progress = silent, examples: int = EXAMPLES) -> Measure:
    """The unit's numbers, and the statistic for the sample's other units."""
    rows = ablate(sample, seed, progress, examples)
    ratios = relative_effects(sample, seed, progress)
    strong = rows.at("strongest")
    kl = rows.kl[strong].mean(axis=0)
    loss = rows.loss[strong].mean(axis=0)
    mine, others = float(kl[0]), kl[1:].tolist()
    ranks = [spearman(rows.size, rows.kl[:, k]) for k in range(rows.kl.shape[1])]
    push = rows.push.mean(axis=0)
    n, total = int(strong.sum()), len(rows.kind)
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
            (against(mine, others, "random units, equal size"),),
        ),
    ]
    for kind in KINDS[1:]:
        some = rows.kl[rows.at(kind)].mean(axis=0)
        numbers.append(
            Number(
                f"ablation_kl_{kind}",
                f"The same at {kind} positions",
                float(some[0]),
                int(rows.at(kind).sum()),
                f"Mean KL divergence (nats) where the unit is set to its mean at {int(rows.at(kind).sum())}"
                f" {kind} positions.",
                (against(float(some[0]), some[1:].tolist(), "random units, equal size"),),
            )
        )
    numbers += [
        Number(
            "ablation_loss",
            "Rise of the loss",
            float(loss[0]),
            n,
            f"How much worse (nats a token) the model predicts the text at the {n} strongest examples"
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
    return Measure(
        name="importance",
        assumption=ASSUMPTION,
        statistic=ratios[0],
        others=tuple(ratios[1:]),
        numbers=tuple(numbers),
        pictures=_pictures(rows, ratios),
        groups=_gainers(sample, rows),
        facts={
            "ablation_kl": mine,
            "largest_kl": float(rows.kl[:, 0].max(initial=0.0)),
            "loss": float(loss[0]),
        },
        words=(
            f"Setting it to its mean at its {n} strongest examples changes the next-token distribution by"
            f" {mine:.2g} nats; random units moved as far change it by {float(np.median(others)):.2g}"
            " (median)."
            if others
            else f"Ablating it changes the output by {mine:.2g} nats."
        ),
    )


def spearman(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """Spearman's rank correlation; 0 where one of the two is constant."""
    ranks = rankdata(np.stack([x, y]).astype(np.float64), axis=1)
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    scale = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / scale) if scale > 0 else 0.0


def _pictures(rows: Ablated, ratios: list[float]) -> tuple[Picture, ...]:
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
            " than others.",
            log=True,
        ),
        Picture(
            "strips",
            "Beside other units",
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


def _gainers(sample: Sample, rows: Ablated) -> tuple[Group, ...]:
    tokenizer = sample.model.tokenizer
    size = min(len(tokenizer), len(rows.gain))
    best = np.argsort(-rows.gain[:size], kind="stable")[:GAINERS]
    found = tuple(Passage(float(rows.gain[i]), "", token_text(tokenizer, int(i)), "") for i in best)
    title = (
        f"Next tokens that gain when it is clamped up (nats, mean of {len(rows.push)} positions; random units"
        f" pushed as far give these {float(rows.others_gain[best].mean()):.2g} on average)"
    )
    return (Group(title, len(found), found),)
