"""``actmax.maximize``: the input that a unit wants most."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

from actmax.api.corpus_starts import CorpusStarts
from actmax.api.methods import token_method
from actmax.api.soft import maximize_soft
from actmax.api.soft_settings import SoftSettings
from actmax.api.text import maximize_text
from actmax.api.text_settings import TextSettings
from actmax.errors import ActmaxError, nearest
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import Positions, activation
from actmax.objectives.objective import Objective
from actmax.objectives.positions import Places
from actmax.progress import Progress, silent
from actmax.results.maximize import MaximizeResult
from actmax.search.method import Step
from actmax.search.scorer import Scorer


def maximize(
    model: Model,
    unit: str | Unit,
    *,
    method: str = "soft-ascent",
    positions: Places | None = None,
    minimize: bool = False,
    seed: int = 0,
    also: Sequence[tuple[float, str]] = (),
    known: CorpusStarts | None = None,
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
            ``last`` (default of the token methods) or ``max``; token methods also take the number of one
            position after the prefix, or ``each``: one search a position.
        minimize: seek the lowest activation instead.
        seed: everything random is drawn from it.
        also: further units with weights, added to the objective: ``[(-0.5, "hidden_states.4:91")]``.
        known: what a reading of a corpus gave (token methods), so that it is not read again.
        on_step: told of every step, for progress.
        progress: told of reading the corpus.
        settings: of the method, as in :class:`actmax.api.soft_settings.SoftSettings` (``restarts``,
            ``length``, ``steps``, …) or :class:`actmax.api.text_settings.TextSettings` (``budget``,
            ``max_cross_entropy``, ``prefix``, …).

    Raises:
        ActmaxError: an unknown unit or method, or a setting out of range; the sentence names the mend.
    """
    made = settings_of(method, settings)
    target = resolve(model, unit) if isinstance(unit, str) else unit
    if isinstance(made, SoftSettings):
        where = reduction_of(positions)
        return maximize_soft(
            model,
            target,
            settings=made,
            positions=where,
            minimize=minimize,
            seed=seed,
            also=weighted_units(model, also, where),
            on_step=None if on_step is None else lambda restart, step, scorer: on_step(_soft(step)),
            progress=progress,
        )
    return maximize_text(
        model,
        target,
        method,
        settings=made,
        positions=reading_of(positions),
        minimize=minimize,
        seed=seed,
        also=tuple(also),
        known=known,
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
    state = step.vectors
    return Progressed(step.index, step.total, math.nan if state is None else float(state.activation.mean()))


def _text(scorer: Scorer) -> Progressed:
    best, done = scorer.archive.best, scorer.cost.sequences_scored
    return Progressed(done, done + (scorer.left or 0), math.nan if best is None else best.activation)


def settings_of(method: str, settings: Mapping[str, Any]) -> SoftSettings | TextSettings:
    """The settings of a method, checked.

    Raises:
        ActmaxError: it has no setting of that name, or one is out of range.
    """
    kind = SoftSettings if token_method(method) is None else TextSettings
    names = [field.name for field in fields(kind)]
    for name in settings:
        if name not in names:
            raise ActmaxError(
                f"The method {method} has no setting {name!r}; the nearest are {nearest(name, names)}."
            )
    return kind(**settings)


def reduction_of(positions: Places | None) -> Positions:
    """For free vectors: ``mean`` by default.

    Raises:
        ActmaxError: it is a way that only token methods read in.
    """
    if positions == "each" or isinstance(positions, int):
        raise ActmaxError(
            f"Free vectors are read as {', '.join(get_args(Positions))}, not {positions!r}; "
            "use a token method."
        )
    return positions or "mean"


def reading_of(positions: Places | None) -> Places:
    """For token methods: ``last`` by default; a number may come as text.

    Raises:
        ActmaxError: it is no way to read positions.
    """
    if positions is None:
        return "last"
    if isinstance(positions, str) and positions.isdecimal():
        return int(positions)
    known = (*get_args(Positions), "each")
    if positions not in known and not isinstance(positions, int):
        raise ActmaxError(
            f"Positions are read as {', '.join(known)} or one position's number, not {positions!r}."
        )
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
