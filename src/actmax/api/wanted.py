"""What a search maximises: from a unit, a text or an objective, and from the settings that add to it.

Vectors and tokens differ in two things: over vectors further units (``also``) are terms of their own, and
``max`` stays the maximum when it is minimised; over tokens further units are added at every position, and a
minimised ``max`` is the smallest value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias, get_args

from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import Activation, activation
from actmax.objectives.expression import is_expression, parse_objective
from actmax.objectives.objective import Objective
from actmax.objectives.penalties import SquaredNorm, cross_entropy, shell_distance, squared_norm
from actmax.objectives.positions import Positions, Where
from actmax.search.settings import SearchSettings, WeightedUnit

Target: TypeAlias = str | Unit | Objective
"""A unit by name, several as an expression (:mod:`actmax.objectives.expression`), or an objective."""


def over_vectors(model: Model, target: Target, settings: SearchSettings) -> Objective:
    """What soft ascent maximises.

    Raises:
        ActmaxError: an unknown unit, a setting that does not go with the objective, or positions that vectors
            are not read at.
    """
    where = settings.positions
    if where == "each":
        raise ActmaxError(
            f"Free vectors are read as {', '.join(get_args(Positions))}, not {where!r}; use a token method."
        )
    objective = _signed(_first(model, target, where, "mean"), settings)
    for weight, name in weighted(settings.also):
        objective = objective + weight * activation(resolve(model, name), where or "mean")
    if not any(isinstance(term, SquaredNorm) for _, term in objective.terms):
        objective = objective - settings.l2 * squared_norm()
    if settings.shell_penalty:
        objective = objective - settings.shell_penalty * shell_distance(model)
    return objective


def over_tokens(model: Model, target: Target, settings: SearchSettings) -> Objective:
    """What a search over tokens maximises; with ``each`` read at the last position.

    Raises:
        ActmaxError: an unknown unit, or a setting that does not go with the objective.
    """
    where = "last" if settings.positions == "each" else settings.positions
    objective = _first(model, target, where, "last")
    term = objective.first
    if isinstance(term, Activation):
        further = tuple((weight, resolve(model, name)) for weight, name in weighted(settings.also))
        unread = settings.minimize and term.positions == "max"
        positions: Where = "min" if unread else term.positions
        objective = objective.with_first(replace(term, positions=positions, also=term.also + further))
    objective = _signed(objective, settings)
    return objective - settings.fluency * cross_entropy() if settings.fluency else objective


def weighted(units: Sequence[WeightedUnit]) -> list[tuple[float, str]]:
    """Weights and units.

    Raises:
        ActmaxError: a text that is not WEIGHT*UNIT, or a weight that is not finite.
    """
    found = [_weighted(one) if isinstance(one, str) else one for one in units]
    for weight, name in found:
        if not math.isfinite(weight):
            raise ActmaxError(f"The weight of {name} is {weight}; give a finite number.")
    return found


def _weighted(text: str) -> tuple[float, str]:
    weight, star, unit = text.partition("*")
    try:
        if not star:
            raise ValueError
        return float(weight), unit.strip()
    except ValueError:
        raise ActmaxError(
            f"{text!r} is not WEIGHT*UNIT; write for example --also '-0.5*hidden_states.4:91'."
        ) from None


def _first(model: Model, target: Target, positions: Where | None, default: Where) -> Objective:
    """The objective before settings add to it; ``positions`` are those of its first term."""
    where = default if positions is None else positions
    if isinstance(target, Unit):
        return activation(target, where)
    if not isinstance(target, str | Objective) or (isinstance(target, str) and not is_expression(target)):
        return activation(resolve(model, target), where)
    objective = parse_objective(model, target, where) if isinstance(target, str) else target
    term = objective.first
    if not isinstance(term, Activation):
        raise ActmaxError(f"An objective begins with the activation of a unit, not with {term}.")
    if isinstance(target, Objective) and positions is not None:
        return objective.with_first(replace(term, positions=positions))
    return objective


def _signed(objective: Objective, settings: SearchSettings) -> Objective:
    if not settings.minimize:
        return objective
    if len(objective.terms) > 1:
        raise ActmaxError("--minimize is for one unit; write the signs into the objective instead.")
    return -objective
