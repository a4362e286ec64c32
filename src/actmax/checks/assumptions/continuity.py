"""The input space is continuous: near an optimum in the space of embeddings lie tokens that do as well.

Soft ascent of 75 steps with learning rate 0.007 on five vectors (unless set otherwise), for the unit and for
each random unit of the site, in one batch.

1. *Kept by the nearest tokens*, which is judged: the share of the optimum's gain over random token sequences
   (mean of 200) that remains when each vector is replaced by its nearest token. Random units, one run each,
   are the control.
2. *Walks*: between eight pairs of tokens of the corpus, after four tokens of context, on the straight line
   and on the arc of the sphere, 32 steps each. The largest step over the whole range is 0.03 for a straight
   line and 1 for a cliff.
3. *Distance from a straight line*: the mean distance of the activation from the chord between its ends, over
   its range; 0 where the unit is linear in the embedding.
4. *Distance of the optimum*: from each vector to the nearest token, in units of the median distance between a
   token and its nearest neighbour.

The answer is `it jumps` where the largest step is at least half of the range, `ascent finds nothing` where
the optimum gains nothing over random tokens, `the optimum is not a text` where the nearest tokens keep less
than half of the gain, and otherwise `continuous`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from actmax.checks.assumption import Material, Measure, Need
from actmax.checks.controls import random_tokens
from actmax.checks.ranks import against
from actmax.checks.sample import UnitSample
from actmax.checks.soft_batch import Optima, own
from actmax.models.read import read, read_prefix
from actmax.objectives.activation import Positions, along, reduce
from actmax.progress import Progress
from actmax.results.finding import Control, Number, Picture, Series

PAIRS, STEPS, CONTEXT, NEIGHBOURS, RANDOM = 8, 32, 4, 512, 200
CLIFF, KEPT = 0.5, 0.5
_STREAM = 2**30 + 41


class Continuity:
    """The input space is continuous."""

    name: ClassVar[str] = "continuity"
    assumption: ClassVar[str] = "The input space is continuous"
    subject: ClassVar[str] = "what tokens keep of its optimum"
    order: ClassVar[int] = 30
    needs: ClassVar[frozenset[Need]] = frozenset({"optimum"})

    def measure(self, material: Material, progress: Progress) -> Measure:
        """What the nearest tokens keep of the optimum; the same for those random units that have one."""
        sample, optima, positions = material.sample, material.optima, material.protocol.positions
        kept, others = _kept(sample, optima, positions, material.seed)
        walks = _walk(sample, material.seed)
        row = optima.rows(sample.unit)[0]
        gaps = _Gaps.of(sample, optima)
        jumps, bends = np.median(jump(walks.straight), axis=1), np.median(bend(walks.straight), axis=1)
        return Measure(
            statistic=kept,
            others=tuple(others),
            numbers=(*_of_optimum(kept, others, optima, row), *_of_walks(walks), _of_distance(gaps, optima)),
            pictures=(_paths(walks), _descent(sample, optima, row, positions)),
            facts={
                "kept_by_tokens": kept,
                "jump": float(jumps[0]),
                "bend": float(bends[0]),
                "distance": gaps.optimum,
            },
            words=_words(kept, float(jumps[0]), gaps.optimum),
        )

    def answer(self, measure: Measure, *, meaningful: bool) -> str:
        """Whether what lies between tokens is like tokens."""
        if measure.facts["jump"] >= CLIFF:
            return "it jumps"
        if not np.isfinite(measure.facts["kept_by_tokens"]):
            return "ascent finds nothing"
        return "continuous" if measure.facts["kept_by_tokens"] >= KEPT else "the optimum is not a text"


@dataclass(frozen=True)
class _Walks:
    """Activations on paths between tokens."""

    straight: Float[np.ndarray, "unit pair step"]
    arc: Float[np.ndarray, "unit pair step"]


@dataclass(frozen=True)
class _Gaps:
    """Distances to the nearest token, in neighbour distances."""

    optimum: float
    start: float
    neighbour: float
    """The median distance between a token and its nearest neighbour."""

    @classmethod
    @torch.no_grad()
    def of(cls, sample: UnitSample, optima: Optima) -> _Gaps:
        """The distances of the unit's first run."""
        matrix = sample.model.embedding.float()
        step = max(1, len(matrix) // NEIGHBOURS)
        between = torch.cdist(matrix[::step], matrix)
        between[between < 1e-6] = torch.inf
        near = between.min(dim=1).values
        neighbour = float(near[near.isfinite()].median()) if bool(near.isfinite().any()) else 1.0
        row = optima.rows(sample.unit)[0]
        apart = torch.cdist(optima.optimum[row].float(), matrix).min(dim=1).values.median()
        begun = torch.cdist(optima.start[row].float(), matrix).min(dim=1).values.median()
        return cls(float(apart) / neighbour, float(begun) / neighbour, neighbour)


def jump(values: Float[np.ndarray, "*rest step"]) -> Float[np.ndarray, "*rest"]:
    """The largest step over the whole range; 1 / steps for a straight line, 0 where nothing changes."""
    reach = values.max(axis=-1) - values.min(axis=-1)
    largest = np.abs(np.diff(values, axis=-1)).max(axis=-1)
    scale = np.abs(values).max(axis=-1)
    return np.where(reach > 1e-6 * scale, largest / np.maximum(reach, 1e-30), 0.0)


def bend(values: Float[np.ndarray, "*rest step"]) -> Float[np.ndarray, "*rest"]:
    """The mean distance from the chord between the ends, over the whole range."""
    t = np.linspace(0, 1, values.shape[-1])
    chord = values[..., :1] * (1 - t) + values[..., -1:] * t
    reach = values.max(axis=-1) - values.min(axis=-1)
    scale = np.abs(values).max(axis=-1)
    apart = np.abs(values - chord).mean(axis=-1)
    return np.where(reach > 1e-6 * scale, apart / np.maximum(reach, 1e-30), 0.0)


def arc(a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " step"]) -> Float[Tensor, "step d"]:
    """From ``a`` to ``b`` over the sphere, the norm going evenly from one to the other."""
    first, second = a / a.norm(), b / b.norm()
    angle = torch.arccos((first @ second).clamp(-1, 1))
    if float(angle.sin()) < 1e-4:
        straight: Tensor = a + t[:, None] * (b - a)
        return straight
    on = (torch.sin((1 - t) * angle)[:, None] * first + torch.sin(t * angle)[:, None] * second) / angle.sin()
    walked: Tensor = on * (a.norm() + t * (b.norm() - a.norm()))[:, None]
    return walked


@torch.no_grad()
def _kept(sample: UnitSample, optima: Optima, positions: Positions, seed: int) -> tuple[float, list[float]]:
    """The statistic of the unit's first run, and of the first run of each random unit."""
    model, site = sample.model, sample.unit.site
    drawn = random_tokens(model, RANDOM, int(optima.ids.shape[1]), seed, _STREAM)
    value = torch.cat([read(model, [site], ids=ids.to(model.device))[site] for ids in drawn.split(100)])
    found = []
    for unit in (sample.unit, *sample.others):
        rows = optima.rows(unit)
        if not rows:
            continue
        chance = float(reduce(along(unit, value), positions).double().mean())
        gain = float(optima.final[rows[0]]) - chance
        found.append((float(optima.on_tokens[rows[0]]) - chance) / gain if gain > 0 else float("nan"))
    return found[0], found[1:]


@torch.no_grad()
def _walk(sample: UnitSample, seed: int) -> _Walks:
    model, rng = sample.model, np.random.default_rng([seed, 41])
    row = int(np.flatnonzero((sample.where >= 0).sum(axis=1) > CONTEXT)[0])
    prefix = read_prefix(
        model, [sample.unit.site], torch.from_numpy(sample.ids[row : row + 1, :CONTEXT]).to(model.device)
    )
    tokens = np.unique(sample.ids[sample.kept])
    t = torch.linspace(0, 1, STEPS + 1, device=model.device)
    straight, arcs = [], []
    for _ in range(PAIRS):
        a, b = model.embedding[torch.from_numpy(rng.choice(tokens, 2, replace=len(tokens) < 2))].float()
        rows = torch.cat([a + t[:, None] * (b - a), arc(a, b, t)])[:, None].to(model.dtype)
        value = read(model, [sample.unit.site], embeds=rows, prefix=prefix)[sample.unit.site]
        found = torch.stack([along(unit, value)[:, 0].float() for unit in (sample.unit, *sample.others)])
        straight.append(found[:, : STEPS + 1].cpu().double().numpy())
        arcs.append(found[:, STEPS + 1 :].cpu().double().numpy())
    return _Walks(np.stack(straight, axis=1), np.stack(arcs, axis=1))


def _of_optimum(kept: float, others: Sequence[float], optima: Optima, row: int) -> list[Number]:
    n = int(optima.ids.shape[1])
    final, on_tokens = float(optima.final[row]), float(optima.on_tokens[row])
    return [
        Number(
            "kept_by_tokens",
            "Kept by the nearest tokens",
            kept,
            n,
            f"Share of the first run's gain over random tokens that its {n} nearest tokens keep; below 0 they"
            " do worse than random tokens.",
            (against(kept, others),),
            "percent",
        ),
        Number(
            "decoding_gap",
            "Decoding gap",
            float(optima.final[row] - optima.on_tokens[row]),
            n,
            f"Activation at the first run's optimum ({final:.3g}) minus that on its {n} nearest tokens"
            f" ({on_tokens:.3g}).",
        ),
    ]


def _of_walks(walks: _Walks) -> list[Number]:
    jumps = np.median(jump(walks.straight), axis=1)
    arcs = np.median(jump(walks.arc), axis=1)
    bends = np.median(bend(walks.straight), axis=1)
    return [
        Number(
            "jump",
            "Largest step on a walk between tokens",
            float(jumps[0]),
            PAIRS,
            f"Median over {PAIRS} pairs of tokens of the largest of {STEPS} steps over the whole range:"
            f" {1 / STEPS:.2f} is a straight line, 1 a cliff.",
            (against(float(jumps[0]), jumps[1:].tolist()),),
            "cosine",
        ),
        Number(
            "jump_arc",
            "The same on the arc of the sphere",
            float(arcs[0]),
            PAIRS,
            f"Walking at the norms of the two tokens in place of the straight line ({PAIRS} pairs).",
            (against(float(arcs[0]), arcs[1:].tolist()),),
            "cosine",
        ),
        Number(
            "bend",
            "Distance from a straight line",
            float(bends[0]),
            PAIRS,
            f"Mean distance of the activation from the chord between its ends, over its range ({PAIRS}"
            " pairs); 0 is linear.",
            (against(float(bends[0]), bends[1:].tolist()),),
            "cosine",
        ),
    ]


def _of_distance(gaps: _Gaps, optima: Optima) -> Number:
    n = int(optima.ids.shape[1])
    return Number(
        "distance",
        "How far the optimum is from any token",
        gaps.optimum,
        n,
        f"Median over the first run's {n} vectors, in units of the distance between neighbouring tokens"
        f" ({gaps.neighbour:.3g}).",
        (Control("random starts", gaps.start, n),),
    )


def _words(kept: float, largest: float, distance: float) -> str:
    walk = (
        f"on a walk between tokens the largest of {STEPS} steps is {100 * largest:.0f} % of the range, and"
        f" the optimum lies {distance:.1f} neighbour distances from any token."
    )
    if not np.isfinite(kept):
        return f"The optimum gains nothing over random tokens; {walk}"
    return f"The nearest tokens keep {100 * kept:.0f} % of what the optimum gains; {walk}"


def _paths(walks: _Walks) -> Picture:
    t = tuple(np.linspace(0, 1, STEPS + 1).tolist())
    lines = [
        Series("straight line" if k == 0 else "", t, tuple(walks.straight[0, k].tolist()))
        for k in range(min(4, PAIRS))
    ]
    lines += [
        Series("arc of the sphere" if k == 0 else "", t, tuple(walks.arc[0, k].tolist()), "other")
        for k in range(min(4, PAIRS))
    ]
    return Picture(
        "lines",
        "Walks between two tokens",
        "from one token (0) to another (1)",
        "activation",
        tuple(lines),
        f"The unit on the way between four of {PAIRS} pairs of real tokens. Straight lines mean that what"
        " lies between two tokens is what one expects; cliffs and humps that it is not.",
    )


@torch.no_grad()
def _descent(sample: UnitSample, optima: Optima, row: int, positions: Positions) -> Picture:
    model = sample.model
    t = torch.linspace(0, 1, STEPS + 1, device=model.device)
    goal = model.embedding[optima.ids[row]]
    rows = optima.optimum[row] + t[:, None, None] * (goal - optima.optimum[row])
    value = read(model, [sample.unit.site], embeds=rows.to(model.dtype))[sample.unit.site]
    mine = own([sample.unit] * len(rows), value, positions)
    return Picture(
        "lines",
        "From the optimum to its tokens",
        "from the optimum (0) to the nearest tokens (1)",
        "activation",
        (Series("straight line", tuple(t.cpu().tolist()), tuple(mine.float().cpu().tolist())),),
        f"The unit on the straight way from the optimised vectors to their nearest tokens ({STEPS} steps)."
        " Where it falls early, the optimum is a place that no text comes near.",
    )
