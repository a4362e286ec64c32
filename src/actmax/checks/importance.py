"""Is strong activation important? Ablations of the unit at strong, median and random examples.

1. Of each kind of example 10 positions, one a window and among its first 48: the strongest, those around the
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
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from actmax.checks.ablation import Change, effect_of
from actmax.checks.measure import Measure, against
from actmax.checks.others import other_units
from actmax.checks.sample import Sample
from actmax.fetch.progress import Progress, silent
from actmax.observe.token_text import token_text
from actmax.results.finding import Group, Number, Passage, Picture, Series
from actmax.stats.ranks import midranks

EXAMPLES, OWN, REFERENCES, AFTER, GAINERS = 10, 4, 4, 4, 10
EARLY = 48
"""Examples are among so many first positions of a window: the text before them is run again for each."""
ASSUMPTION = "Strong activation is important"
KINDS = ("strongest", "median", "random")


@dataclass(frozen=True)
class _Rows:
    """One row an example; column 0 of ``kl`` is the unit, the rest the others."""

    kind: list[str]
    size: Float[np.ndarray, " example"]
    kl: Float[np.ndarray, "example unit"]
    zero: Float[np.ndarray, " example"]
    loss: Float[np.ndarray, "example unit"]
    push: Float[np.ndarray, "median unit"]
    gain: Float[np.ndarray, " vocab"]
    others_gain: Float[np.ndarray, " vocab"]

    def at(self, kind: str) -> Bool[np.ndarray, " example"]:
        return np.array([one == kind for one in self.kind])


def importance(sample: Sample, seed: int, progress: Progress = silent) -> Measure:
    """Measure it for the unit, and ablations of equal size for the sample's other units."""
    rows = _run(sample, seed, progress)
    ratios = _relative(sample, seed, progress)
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
            f"Effect on the output of setting the unit to its mean at its {OWN} strongest examples, over"
            f" that of {REFERENCES} reference units moved as far there: 1 is what any unit does, 0 nothing.",
            (against(ratios[0], ratios[1:]),),
        ),
        Number(
            "ablation_kl",
            "Effect of ablation where it is strongest",
            mine,
            n,
            "Mean divergence (nats) of the next-token distribution when the unit is set to its mean at its"
            f" {n} strongest examples; controls are moved as far.",
            (against(mine, others, "random units, equal size"),),
        ),
    ]
    for kind in KINDS[1:]:
        some = rows.kl[rows.at(kind)].mean(axis=0)
        numbers.append(
            Number(
                f"ablation_kl_{kind}",
                f"The same at {kind} examples",
                float(some[0]),
                int(rows.at(kind).sum()),
                f"Mean divergence at {int(rows.at(kind).sum())} {kind} examples.",
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
            f"As the second number, with zero in place of the mean ({n} examples).",
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
            f"Mean divergence when the unit is set to its corpus maximum at {len(rows.push)} median"
            " examples.",
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
    ranks = midranks(np.stack([x, y]).astype(np.float64))
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    scale = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / scale) if scale > 0 else 0.0


def _run(sample: Sample, seed: int, progress: Progress) -> _Rows:
    places = _places(sample, seed)
    top = float(sample.values[0][sample.kept].max())
    kind, size, kl, zero, loss, push, gains, pushed = [], [], [], [], [], [], [], []
    for k, (name, row, column) in enumerate(places):
        progress("ablating", k, len(places))
        value = sample.values[:, row, column].astype(np.float64)
        to_mean = float(sample.means[0] - value[0])
        changes = [Change(sample.unit, to_mean), Change(sample.unit, -float(value[0]))]
        changes += _others(sample, value, abs(to_mean))
        if name == "median":
            up = top - float(value[0])
            changes += [Change(unit, up) for unit in (sample.unit, *sample.others)]
        ids = torch.from_numpy(sample.ids[row])
        found = effect_of(sample.model, ids[:column], ids[column : column + AFTER], changes)
        many = 1 + len(sample.others)
        mine = [0, *range(2, 1 + many)]
        kind.append(name)
        size.append(abs(to_mean))
        kl.append(found.kl[mine].numpy())
        zero.append(float(found.kl[1]))
        loss.append(found.loss[mine].numpy())
        if name == "median":
            push.append(found.kl[1 + many :].numpy())
            gains.append(found.gain[1 + many].numpy())
            pushed.append(found.gain[2 + many :].mean(dim=0).numpy() if sample.others else 0 * gains[-1])
    return _Rows(
        kind,
        np.array(size),
        np.array(kl),
        np.array(zero),
        np.array(loss),
        np.array(push),
        np.mean(gains, axis=0).astype(np.float64),
        np.mean(pushed, axis=0).astype(np.float64),
    )


def _relative(sample: Sample, seed: int, progress: Progress) -> list[float]:
    """The statistic of the unit, then of each of the others at its own strongest examples."""
    references = other_units(sample.model, sample.unit, len(sample.others) + REFERENCES, seed)
    references = references[len(sample.others) :] or references[:REFERENCES]
    allowed = _followed(sample)
    found = []
    for k, unit in enumerate((sample.unit, *sample.others)):
        progress("ablating other units", k, 1 + len(sample.others))
        mine, theirs = 0.0, 0.0
        for row, column in sample.strongest(k, OWN, each=1, allowed=allowed):
            amount = float(sample.means[k]) - float(sample.values[k, row, column])
            moved = [Change(one, amount * (-1) ** j) for j, one in enumerate(references)]
            ids = torch.from_numpy(sample.ids[row])
            changes = [Change(unit, amount), *moved]
            kl = effect_of(sample.model, ids[:column], ids[column : column + AFTER], changes).kl
            mine, theirs = mine + float(kl[0]), theirs + float(kl[1:].mean())
        found.append(mine / theirs if theirs > 0 else 0.0)
    return found


def _others(sample: Sample, value: Float[np.ndarray, " unit"], size: float) -> list[Change]:
    """Each other unit moved by ``size`` in the direction of its own mean."""
    made = []
    for k, unit in enumerate(sample.others, start=1):
        sign = 1.0 if sample.means[k] >= value[k] else -1.0
        made.append(Change(unit, sign * size))
    return made


def _places(sample: Sample, seed: int) -> list[tuple[str, int, int]]:
    """Kind, window and position of each example, where enough text follows."""
    allowed = _followed(sample)
    strongest = sample.strongest(0, EXAMPLES, each=1, allowed=allowed)
    rows, columns = np.nonzero(allowed)
    values = sample.values[0][allowed]
    near = np.argsort(np.abs(values - np.median(values)), kind="stable")
    mixed = np.random.default_rng([seed, 11]).permutation(len(values))
    found = [("strongest", *place) for place in strongest]
    for name, order in (("median", near), ("random", mixed)):
        taken: set[int] = set()
        for place in order:
            if int(rows[place]) not in taken:
                taken.add(int(rows[place]))
                found.append((name, int(rows[place]), int(columns[place])))
            if len(taken) == EXAMPLES:
                break
    return found


def _followed(sample: Sample) -> Bool[np.ndarray, "window pos"]:
    """Kept positions that enough text follows; all kept ones where there are none such."""
    followed = np.zeros_like(sample.kept)
    followed[:, : -AFTER + 1] = sample.where[:, AFTER - 1 :] >= 0
    allowed = sample.kept & followed
    allowed[:, EARLY:] = False
    return allowed if allowed.any() else sample.kept


def _pictures(rows: _Rows, ratios: list[float]) -> tuple[Picture, ...]:
    middle = np.median(rows.kl[:, 1:], axis=1) if rows.kl.shape[1] > 1 else rows.kl[:, 0]
    sizes = tuple(rows.size.tolist())
    return (
        Picture(
            "points",
            "Effect against activation",
            "distance of the activation from its mean",
            "effect on the output (nats)",
            (
                Series("this unit", sizes, tuple(rows.kl[:, 0].tolist())),
                Series("random units, moved as far", sizes, tuple(middle.tolist()), "control"),
            ),
            f"Each of the {len(sizes)} examples: how far the unit was moved and what that did, beside the"
            " median of random units moved as far. Points above theirs mean that this unit is read more"
            " than others.",
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


def _gainers(sample: Sample, rows: _Rows) -> tuple[Group, ...]:
    tokenizer = sample.model.tokenizer
    size = min(len(tokenizer), len(rows.gain))
    best = np.argsort(-rows.gain[:size], kind="stable")[:GAINERS]
    found = tuple(Passage(float(rows.gain[i]), "", token_text(tokenizer, int(i)), "") for i in best)
    title = f"Next tokens that gain when it is clamped up (nats, mean of {len(rows.push)} examples)"
    return (Group(title, len(found), found),)
