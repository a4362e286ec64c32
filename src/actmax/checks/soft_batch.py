"""Soft ascent for many units of one site in one batch.

Rows do not depend on one another (:mod:`actmax.search.methods.soft_ascent`), so each row may have a unit of
its own: the optima of a unit and of the units that it is compared with cost one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from actmax.inputs.soft import VectorSpace, random_start
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sites import Site, Unit
from actmax.objectives.activation import Positions, along, reduce
from actmax.objectives.objective import Objective, PerPosition, Readable, Reading
from actmax.objectives.penalties import squared_norm
from actmax.search.method import Step
from actmax.search.methods.soft_ascent import SoftAscent
from actmax.search.nearest import nearest_tokens
from actmax.search.problem import Problem
from actmax.search.run import run
from actmax.shapes import Embeds, Scores


@dataclass(frozen=True)
class SoftProtocol:
    """How the vectors are optimised; the classic protocol by default."""

    length: int = 5
    steps: int = 500
    lr: float = 0.001
    l2: float = 0.01
    positions: Positions = "mean"


@dataclass(frozen=True)
class RowUnits:
    """The activation of another unit in every row."""

    units: tuple[Unit, ...]
    """One per row, all of one site."""
    positions: Positions

    @property
    def needs(self) -> frozenset[Site]:
        """Their site."""
        return frozenset({self.units[0].site})

    def values(self, reading: Reading) -> PerPosition:
        """In the units of the activation."""
        value = reading.acts[self.units[0].site]
        return torch.cat([along(unit, value[k : k + 1]) for k, unit in enumerate(self.units)])

    def readable(self, reading: Reading) -> None:
        """Every position counts."""

    def reduce(self, values: PerPosition, readable: Readable | None, *, anyway: bool = False) -> Scores:
        """Over positions."""
        return reduce(values, self.positions)

    def __str__(self) -> str:
        return f"{self.positions}(each row's unit)"


def own(units: Sequence[Unit], value: Tensor, positions: Positions) -> Scores:
    """Row ``k`` of ``value`` ``[row, pos, width]`` read by unit ``k``."""
    rows = [along(unit, value[k : k + 1]) for k, unit in enumerate(units)]
    return reduce(torch.cat(rows), positions)


@dataclass(frozen=True)
class Optima:
    """What soft ascent found, one row per run."""

    units: tuple[Unit, ...]
    """The unit of each row."""
    start: Embeds
    optimum: Embeds
    ids: Int[Tensor, "row pos"]
    """The tokens nearest to the optimum by cosine."""
    start_ids: Int[Tensor, "row pos"]
    cosine: Float[Tensor, "row pos"]
    """Of each optimised vector and its nearest token."""
    initial: Float[Tensor, " row"]
    final: Float[Tensor, " row"]
    """Activation of the row's unit, each row run by itself."""
    on_tokens: Float[Tensor, " row"]
    """What the model gives on the nearest tokens."""
    steps: int
    complete: bool

    def rows(self, unit: Unit) -> list[int]:
        """The runs of one unit."""
        return [k for k, there in enumerate(self.units) if there == unit]


def soft_optima(
    model: Model,
    units: Sequence[Unit],
    protocol: SoftProtocol,
    seed: int,
    on_step: Callable[[Step], None] | None = None,
) -> Optima:
    """Optimise one row for each of ``units`` (repeat a unit for several runs; row k has random stream k).

    Raises:
        KeyboardInterrupt: stopped before the first step.
    """
    given = tuple(units)
    start = random_start(model, protocol.length, range(len(given)), seed)
    objective = Objective(((1.0, RowUnits(given, protocol.positions)),)) - protocol.l2 * squared_norm()
    problem = Problem(objective, VectorSpace(model, start))
    show = None if on_step is None else lambda restart, step, scorer: on_step(step)
    outcome = run(SoftAscent(steps=protocol.steps, lr=protocol.lr), problem, on_step=show)
    assert outcome.last is not None  # noqa: S101 - there was a step
    assert outcome.trace is not None  # noqa: S101
    optimum = outcome.last.embeds
    near = nearest_tokens(model, optimum, 1)
    begun = nearest_tokens(model, start, 1)

    @torch.no_grad()
    def by_itself(rows: Embeds) -> Float[Tensor, " row"]:
        site = given[0].site
        values = [read(model, [site], embeds=row[None])[site] for row in rows]
        return own(given, torch.cat(values), protocol.positions).float().cpu()

    return Optima(
        units=given,
        start=start,
        optimum=optimum,
        ids=near.ids[..., 0],
        start_ids=begun.ids[..., 0],
        cosine=near.similarity[..., 0],
        initial=by_itself(start),
        final=by_itself(optimum),
        on_tokens=by_itself(model.embedding[near.ids[..., 0]]),
        steps=outcome.trace.step[-1],
        complete=outcome.complete,
    )
