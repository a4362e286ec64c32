"""``actmax.maximize``: the input that a unit wants most."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from actmax.api.soft import maximize_soft
from actmax.api.soft_settings import SoftSettings
from actmax.errors import ActmaxError, nearest
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.objective import Objective
from actmax.objectives.units import Positions, activation
from actmax.results.maximize import MaximizeResult
from actmax.search.method import Step

METHODS = {"soft-ascent": "soft-ascent", "soft": "soft-ascent"}
"""What ``--method`` takes, with the method's own name."""


def maximize(
    model: Model,
    unit: str | Unit,
    *,
    method: str = "soft-ascent",
    positions: Positions = "mean",
    minimize: bool = False,
    seed: int = 0,
    also: Sequence[tuple[float, str]] = (),
    on_step: Callable[[Step], None] | None = None,
    **settings: Any,
) -> MaximizeResult:
    """Search for the input that drives a unit highest, and say what it shows.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``, for example ``"hidden_states.4:90"``.
        method: ``soft-ascent`` (``soft``).
        positions: how the activation is reduced over positions: ``mean``, ``last`` or ``max``.
        minimize: seek the lowest activation instead.
        seed: everything random is drawn from it.
        also: further units with weights, added to the objective: ``[(-0.5, "hidden_states.4:91")]``.
        on_step: told of every step, for progress.
        settings: of the method: ``restarts``, ``length``, ``steps``, ``lr``, ``l2``, ``init_text``, … as in
            :class:`actmax.api.soft_settings.SoftSettings`.

    Raises:
        ActmaxError: an unknown unit or method, or a setting out of range; the sentence names the mend.
    """
    if method not in METHODS:
        raise ActmaxError(f"There is no method {method!r}; the nearest are {nearest(method, METHODS)}.")
    known = [field.name for field in fields(SoftSettings)]
    for name in settings:
        if name not in known:
            raise ActmaxError(
                f"The method {method} has no setting {name!r}; the nearest are {nearest(name, known)}."
            )
    target = resolve(model, unit) if isinstance(unit, str) else unit
    return maximize_soft(
        model,
        target,
        settings=SoftSettings(**settings),
        positions=positions,
        minimize=minimize,
        seed=seed,
        also=weighted_units(model, also, positions),
        on_step=on_step,
    )


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
