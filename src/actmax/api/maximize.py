"""``actmax.maximize``: the input that a unit wants most."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

from actmax.api.soft import maximize_soft
from actmax.api.soft_settings import SoftSettings
from actmax.api.text import maximize_text
from actmax.api.text_settings import TextSettings
from actmax.errors import ActmaxError, nearest
from actmax.fetch.progress import Progress, silent
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.objective import Objective
from actmax.objectives.units import Positions, activation
from actmax.results.maximize import MaximizeResult
from actmax.search.method import Step
from actmax.search.registry import text_methods
from actmax.search.text_scorer import TextScorer

SOFT = ("soft-ascent", "soft")
"""Names of the one method over free vectors; all others search real tokens."""


def maximize(
    model: Model,
    unit: str | Unit,
    *,
    method: str = "soft-ascent",
    positions: Positions | None = None,
    minimize: bool = False,
    seed: int = 0,
    also: Sequence[tuple[float, str]] = (),
    on_step: Callable[[Progressed], None] | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> MaximizeResult:
    """Search for the input that drives a unit highest, and say what it shows.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``, for example ``"hidden_states.4:90"``.
        method: ``soft-ascent`` (``soft``) over free vectors; over real tokens ``hybrid`` (``text``),
            ``random``, ``exhaustive``, ``coordinate``, ``hotflip``, ``gcg``, ``epo``, ``pez``, ``gumbel``,
            ``beam``.
        positions: how the activation is reduced over positions: ``mean`` (default of ``soft-ascent``),
            ``last`` (default of the token methods) or ``max``.
        minimize: seek the lowest activation instead.
        seed: everything random is drawn from it.
        also: further units with weights, added to the objective: ``[(-0.5, "hidden_states.4:91")]``.
        on_step: told of every step, for progress.
        progress: told of reading the corpus (token methods).
        settings: of the method, as in :class:`actmax.api.soft_settings.SoftSettings` (``restarts``,
            ``length``, ``steps``, …) or :class:`actmax.api.text_settings.TextSettings` (``budget``,
            ``max_cross_entropy``, ``prefix``, …).

    Raises:
        ActmaxError: an unknown unit or method, or a setting out of range; the sentence names the mend.
    """
    soft = method in SOFT
    if not soft:
        known = [*SOFT, "text", *text_methods()]
        if method not in known:
            raise ActmaxError(f"There is no method {method!r}; the nearest are {nearest(method, known)}.")
    kind = SoftSettings if soft else TextSettings
    names = [field.name for field in fields(kind)]
    for name in settings:
        if name not in names:
            raise ActmaxError(
                f"The method {method} has no setting {name!r}; the nearest are {nearest(name, names)}."
            )
    target = resolve(model, unit) if isinstance(unit, str) else unit
    if soft:
        where: Positions = positions or "mean"
        return maximize_soft(
            model,
            target,
            settings=SoftSettings(**settings),
            positions=where,
            minimize=minimize,
            seed=seed,
            also=weighted_units(model, also, where),
            on_step=None if on_step is None else lambda step: on_step(_soft(step)),
        )
    return maximize_text(
        model,
        target,
        method,
        settings=TextSettings(**settings),
        positions=_reading(positions),
        minimize=minimize,
        seed=seed,
        also=tuple(also),
        on_step=None if on_step is None else lambda restart, step, scorer: on_step(_text(scorer)),
        progress=progress,
    )


@dataclass(frozen=True)
class Progressed:
    """How far a search is, in its own steps or in sequences of its budget."""

    index: int
    total: int
    activation: float
    """The mean of the restarts (free vectors), or the best so far (tokens)."""


def _soft(step: Step) -> Progressed:
    return Progressed(step.index, step.total, float(step.activation.mean()))


def _text(scorer: TextScorer) -> Progressed:
    best, done = scorer.archive.best, scorer.cost.sequences_scored
    return Progressed(done, done + (scorer.left or 0), math.nan if best is None else best.activation)


def _reading(positions: Positions | None) -> Positions:
    if positions is None:
        return "last"
    if positions not in get_args(Positions):
        raise ActmaxError(f"Positions are read as {', '.join(get_args(Positions))}, not {positions!r}.")
    return positions


def weighted_units(
    model: Model, units: Sequence[tuple[float, str]], positions: Positions
) -> Objective | None:
    """The sum of further units with their weights; None where there are none."""
    total: Objective | None = None
    for weight, name in units:
        if not math.isfinite(weight):
            raise ActmaxError(f"The weight of {name} is {weight}; give a finite number.")
        term = weight * activation(resolve(model, name), positions)
        total = term if total is None else total + term
    return total
