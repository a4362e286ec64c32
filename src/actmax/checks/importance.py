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

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from actmax.checks.ablation import Change, Example, beginnings, effects_of, upto
from actmax.checks.measure import Measure, against
from actmax.checks.others import other_units
from actmax.checks.sample import Sample
from actmax.fetch.progress import Progress, silent
from actmax.models.read import Prefix
from actmax.observe.token_text import token_text
from actmax.results.finding import Group, Number, Passage, Picture, Series
from actmax.stats.ranks import midranks

EXAMPLES, BRIEFLY, OWN, REFERENCES, AFTER, GAINERS = 10, 3, 4, 4, 4, 10
EARLY = 32
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


def importance(sample: Sample, seed: int, progress: Progress = silent, examples: int = EXAMPLES) -> Measure:
    """The unit's numbers, and the statistic for the sample's other units."""
    rows = _run(sample, seed, progress, examples)
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
    ranks = midranks(np.stack([x, y]).astype(np.float64))
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    scale = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / scale) if scale > 0 else 0.0


def _run(sample: Sample, seed: int, progress: Progress, count: int) -> _Rows:
    places = _places(sample, seed, count)
    progress("ablating", 0, None)
    top = float(sample.values[0][sample.kept].max())
    before = _before(sample, [(row, column) for _, row, column in places])
    examples, sizes, many = [], [], 1 + len(sample.others)
    for name, row, column in places:
        value = sample.values[:, row, column].astype(np.float64)
        to_mean = float(sample.means[0] - value[0])
        sizes.append(abs(to_mean))
        changes = [Change(sample.unit, to_mean), Change(sample.unit, -float(value[0]))]
        changes += _others(sample, value, abs(to_mean))
        if name == "median":
            up = top - float(value[0])
            changes += [Change(unit, up) for unit in (sample.unit, *sample.others)]
        examples.append(Example(before(row, column), _after(sample, row, column), tuple(changes)))
    effects = effects_of(sample.model, examples)
    mine = [0, *range(2, 1 + many)]
    pushed = [found for (name, *_), found in zip(places, effects, strict=True) if name == "median"]
    others = [
        found.gain[2 + many :].mean(dim=0) if sample.others else 0 * found.gain[1 + many] for found in pushed
    ]
    return _Rows(
        [name for name, *_ in places],
        np.array(sizes),
        np.array([found.kl[mine].numpy() for found in effects]),
        np.array([float(found.kl[1]) for found in effects]),
        np.array([found.loss[mine].numpy() for found in effects]),
        np.array([found.kl[1 + many :].numpy() for found in pushed]),
        torch.stack([found.gain[1 + many] for found in pushed]).double().mean(dim=0).numpy(),
        torch.stack(others).double().mean(dim=0).numpy(),
    )


def _relative(sample: Sample, seed: int, progress: Progress) -> list[float]:
    """The statistic of the unit, then of each of the others at its own strongest examples."""
    references = other_units(sample.model, sample.unit, len(sample.others) + REFERENCES, seed)
    references = references[len(sample.others) :] or references[:REFERENCES]
    allowed, units = _followed(sample), (sample.unit, *sample.others)
    places = [sample.strongest(k, OWN, each=1, allowed=allowed) for k in range(len(units))]
    progress("ablating other units", 0, None)
    before = _before(sample, [place for own in places for place in own])
    examples = []
    for k, unit in enumerate(units):
        for row, column in places[k]:
            amount = float(sample.means[k]) - float(sample.values[k, row, column])
            moved = [Change(one, amount * (-1) ** j) for j, one in enumerate(references)]
            changes = (Change(unit, amount), *moved)
            examples.append(Example(before(row, column), _after(sample, row, column), changes))
    effects = iter(effects_of(sample.model, examples))
    found = []
    for own in places:
        kl = [next(effects).kl for _ in own]
        mine, theirs = sum(float(one[0]) for one in kl), sum(float(one[1:].mean()) for one in kl)
        found.append(mine / theirs if theirs > 0 else 0.0)
    return found


def _before(sample: Sample, places: Sequence[tuple[int, int]]) -> Callable[[int, int], Prefix]:
    """What gives the text before each of some places, run through the model."""
    rows = sorted({row for row, _ in places})
    longest = max(column for _, column in places)
    made = beginnings(sample.model, torch.from_numpy(sample.ids[rows, :longest]))
    known = dict(zip(rows, made, strict=True))
    return lambda row, column: upto(known[row], column)


def _after(sample: Sample, row: int, column: int) -> Int[torch.Tensor, " after"]:
    """The tokens from a place on, as far as there are real ones."""
    real = int((sample.where[row, column : column + AFTER] >= 0).sum())
    return torch.from_numpy(sample.ids[row, column : column + real])


def _others(sample: Sample, value: Float[np.ndarray, " unit"], size: float) -> list[Change]:
    """Each other unit moved by ``size`` in the direction of its own mean."""
    made = []
    for k, unit in enumerate(sample.others, start=1):
        sign = 1.0 if sample.means[k] >= value[k] else -1.0
        made.append(Change(unit, sign * size))
    return made


def _places(sample: Sample, seed: int, examples: int) -> list[tuple[str, int, int]]:
    """Kind, window and position of each example, where enough text follows."""
    allowed = _followed(sample)
    strongest = sample.strongest(0, examples, each=1, allowed=allowed)
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
            if len(taken) == examples:
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


def _gainers(sample: Sample, rows: _Rows) -> tuple[Group, ...]:
    tokenizer = sample.model.tokenizer
    size = min(len(tokenizer), len(rows.gain))
    best = np.argsort(-rows.gain[:size], kind="stable")[:GAINERS]
    found = tuple(Passage(float(rows.gain[i]), "", token_text(tokenizer, int(i)), "") for i in best)
    title = (
        f"Next tokens that gain when it is clamped up (nats, mean of {len(rows.push)} positions; random units"
        f" pushed as far give these {float(rows.others_gain[best].mean()):.2g} on average)"
    )
    return (Group(title, len(found), found),)
