"""What ablations of a unit do at its strongest, its median and random examples, beside other units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from actmax.checks.ablation import AblationPoint, Change, beginnings, effects_of, upto
from actmax.checks.controls import other_units
from actmax.checks.sample import UnitSample
from actmax.models.read import Prefix
from actmax.progress import Progress

OWN, REFERENCES, AFTER = 4, 4, 4
EARLY = 32
"""Examples are among so many first positions of a window: the text before them is run again for each."""


@dataclass(frozen=True)
class Ablated:
    """One row per example; column 0 of ``kl`` is the unit, the rest are random units."""

    kind: list[str]
    size: Float[np.ndarray, " example"]
    kl: Float[np.ndarray, "example unit"]
    zero: Float[np.ndarray, " example"]
    loss: Float[np.ndarray, "example unit"]
    push: Float[np.ndarray, "median unit"]
    gain: Float[np.ndarray, " vocab"]
    others_gain: Float[np.ndarray, " vocab"]

    def at(self, kind: str) -> Bool[np.ndarray, " example"]:
        """The examples of a kind: ``strongest``, ``median`` or ``random``."""
        return np.array([one == kind for one in self.kind])


def ablate(sample: UnitSample, seed: int, progress: Progress, count: int) -> Ablated:
    """Ablate at ``count`` examples of each kind; push up to the corpus maximum at the median ones.

    Changes at every example: the unit to its mean, the unit to zero, each other unit moved as far as the
    first; at median ones the unit and each other unit pushed as far as it takes the unit to its maximum.
    """
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
        examples.append(AblationPoint(before(row, column), _after(sample, row, column), tuple(changes)))
    effects = effects_of(sample.model, examples)
    mine = [0, *range(2, 1 + many)]
    pushed = [found for (name, *_), found in zip(places, effects, strict=True) if name == "median"]
    others = [
        found.gain[2 + many :].mean(dim=0) if sample.others else 0 * found.gain[1 + many] for found in pushed
    ]
    return Ablated(
        [name for name, *_ in places],
        np.array(sizes),
        np.array([found.kl[mine].numpy() for found in effects]),
        np.array([float(found.kl[1]) for found in effects]),
        np.array([found.loss[mine].numpy() for found in effects]),
        np.array([found.kl[1 + many :].numpy() for found in pushed]),
        torch.stack([found.gain[1 + many] for found in pushed]).double().mean(dim=0).numpy(),
        torch.stack(others).double().mean(dim=0).numpy(),
    )


def relative_effects(sample: UnitSample, seed: int, progress: Progress) -> list[float]:
    """The statistic of the unit, then of each random unit at its own strongest examples."""
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
            examples.append(AblationPoint(before(row, column), _after(sample, row, column), changes))
    effects = iter(effects_of(sample.model, examples))
    found = []
    for own in places:
        kl = [next(effects).kl for _ in own]
        mine, theirs = sum(float(one[0]) for one in kl), sum(float(one[1:].mean()) for one in kl)
        found.append(mine / theirs if theirs > 0 else 0.0)
    return found


def _before(sample: UnitSample, places: Sequence[tuple[int, int]]) -> Callable[[int, int], Prefix]:
    """What gives the text before each of some places, run through the model."""
    rows = sorted({row for row, _ in places})
    longest = max(column for _, column in places)
    made = beginnings(sample.model, torch.from_numpy(sample.ids[rows, :longest]))
    known = dict(zip(rows, made, strict=True))
    return lambda row, column: upto(known[row], column)


def _after(sample: UnitSample, row: int, column: int) -> Int[torch.Tensor, " after"]:
    """The tokens from a place on, as far as there are real ones."""
    real = int((sample.where[row, column : column + AFTER] >= 0).sum())
    return torch.from_numpy(sample.ids[row, column : column + real])


def _others(sample: UnitSample, value: Float[np.ndarray, " unit"], size: float) -> list[Change]:
    """Each other unit moved by ``size`` in the direction of its own mean."""
    made = []
    for k, unit in enumerate(sample.others, start=1):
        sign = 1.0 if sample.means[k] >= value[k] else -1.0
        made.append(Change(unit, sign * size))
    return made


def _places(sample: UnitSample, seed: int, examples: int) -> list[tuple[str, int, int]]:
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


def _followed(sample: UnitSample) -> Bool[np.ndarray, "window pos"]:
    """Positions that enough text follows; all that are read where there are none."""
    followed = np.zeros_like(sample.kept)
    followed[:, : -AFTER + 1] = sample.where[:, AFTER - 1 :] >= 0
    allowed = sample.kept & followed
    allowed[:, EARLY:] = False
    return allowed if allowed.any() else sample.kept
