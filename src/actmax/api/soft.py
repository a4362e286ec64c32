"""Maximise a unit over free vectors: the classic protocol by default.

1. Start, objective and Adam (``search/methods/soft_ascent.py``), all restarts in one batch.
2. Say what the optimum shows (``api/account.py``).
"""

from __future__ import annotations

import torch

from actmax.api.account import Asked, account
from actmax.api.soft_settings import SoftSettings
from actmax.api.yardstick import corpus_maximum
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_id
from actmax.inputs.frame import Frame
from actmax.inputs.soft import Vectors, random_start, text_start
from actmax.models.model import Model
from actmax.models.read import Prefix, read_prefix
from actmax.models.sites import Unit, width
from actmax.objectives.activation import Positions, activation
from actmax.objectives.objective import Objective
from actmax.objectives.penalties import shell_distance, squared_norm
from actmax.progress import Progress, silent
from actmax.results.maximize import MaximizeResult
from actmax.search.methods.soft_ascent import SoftAscent
from actmax.search.problem import Problem
from actmax.search.run import OnStep, run

_NEIGHBORS = 2


def maximize_soft(
    model: Model,
    unit: Unit,
    *,
    settings: SoftSettings,
    positions: Positions = "mean",
    minimize: bool = False,
    seed: int = 0,
    also: Objective | None = None,
    on_step: OnStep | None = None,
    progress: Progress = silent,
) -> MaximizeResult:
    """Gradient ascent on input vectors, with the truth about the tokens nearest to them.

    Args:
        model: what is asked.
        unit: what is maximised.
        settings: of the protocol.
        positions: how the activation is reduced over positions.
        minimize: seek the lowest activation instead.
        seed: of the random starts and of the random control.
        also: a further objective, added to the unit's.
        on_step: told of every step.
        progress: told of reading the corpus, where one is asked for.

    Raises:
        ActmaxError: a setting is out of range, the corpus cannot be read, or no restart gives finite values.
    """
    objective = _objective(model, unit, settings, positions, minimize, also)
    method = SoftAscent(settings.steps, settings.lr, settings.shell)
    prefix = _prefix(model, objective, unit, settings.bos)
    restarts = range(settings.restarts)
    if settings.init_text is None:
        _check_length(model, settings.length, prefix)
        start = random_start(model, settings.length, restarts, seed)
    else:
        start = text_start(model, settings.init_text, restarts, seed)
        _check_length(model, start.shape[1], prefix)
    frame = _frame(model, settings.bos)
    problem = Problem(objective, Vectors(model, start, frame, _neighbors(model, unit)))
    corpus = corpus_maximum(
        model, unit, minimize=minimize, corpus=settings.corpus, atlas=settings.atlas, progress=progress
    )
    outcome = run(method, problem, on_step=on_step)
    space = problem.vectors
    asked = Asked(model, unit, settings, positions, minimize, seed, objective, prefix, space, corpus)
    return account(asked, outcome)


def _objective(
    model: Model,
    unit: Unit,
    settings: SoftSettings,
    positions: Positions,
    minimize: bool,
    also: Objective | None,
) -> Objective:
    wanted = activation(unit, positions)
    objective = -wanted if minimize else wanted
    if also is not None:
        objective = objective + also
    objective = objective - settings.l2 * squared_norm()
    if settings.shell_penalty:
        objective = objective - settings.shell_penalty * shell_distance(model)
    return objective


def _frame(model: Model, policy: BosPolicy) -> Frame:
    bos = bos_id(model.tokenizer, "always") if policy == "always" else None
    return Frame() if bos is None else Frame((bos,), (), bos)


def _prefix(model: Model, objective: Objective, unit: Unit, policy: BosPolicy) -> Prefix | None:
    before = _frame(model, policy).before
    if not before:
        return None
    return read_prefix(model, objective.needs | {unit.site}, torch.tensor([before], device=model.device))


def _check_length(model: Model, length: int, prefix: Prefix | None) -> None:
    """Before any vector is made: a length that the model cannot read would only be found out later."""
    room = model.context - (0 if prefix is None else prefix.ids.shape[1])
    if length > room:
        raise ActmaxError(
            f"The length is {length}, but {model.name} reads at most {room} positions here; give fewer."
        )


def _neighbors(model: Model, unit: Unit) -> tuple[int, ...]:
    """The indices next to the unit's, two on each side; a direction has none."""
    if unit.index is None:
        return ()
    last = width(model, unit.site) - 1
    around = range(max(0, unit.index - _NEIGHBORS), min(last, unit.index + _NEIGHBORS) + 1)
    return tuple(i for i in around if i != unit.index)
