"""Maximise an objective over free vectors: the classic protocol by default.

1. Start, objective and Adam (``search/methods/soft_ascent.py``), all restarts in one batch.
2. Say what the optimum shows (``api/vectors_result.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from actmax.api.methods import VECTORS_LENGTH
from actmax.api.reference import corpus_maximum
from actmax.api.vectors_result import Ascended, result_of
from actmax.api.wanted import Target, over_vectors
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_id
from actmax.inputs.frame import Frame
from actmax.inputs.soft import VectorSpace, random_start, text_start
from actmax.models.model import Model
from actmax.models.sites import Unit, width
from actmax.results.maximize import MaximizeResult
from actmax.search.method import Method, Step
from actmax.search.problem import Problem
from actmax.search.run import OnStep, run
from actmax.search.scorer import Scorer
from actmax.search.settings import Progressed, SearchSettings

_NEIGHBORS = 2


def maximize_vectors(
    model: Model,
    target: Target,
    method: Method,
    settings: SearchSettings,
    on_step: Callable[[Progressed], None] | None = None,
) -> MaximizeResult:
    """Gradient ascent on input vectors, with the truth about the tokens nearest to them.

    Args:
        model: what is asked.
        target: what is maximised.
        method: searches vectors.
        settings: of the search.
        on_step: called with every step.

    Raises:
        ActmaxError: a setting is out of range, the corpus cannot be read, or no restart gives finite values.
    """
    problem = vectors_problem(model, target, settings)
    term = problem.reported
    reference = None
    if not term.also:
        reference = corpus_maximum(
            model,
            term.unit,
            minimize=problem.objective.sign < 0,
            corpus=settings.corpus,
            atlas=settings.atlas,
            progress=settings.progress,
        )
    outcome = run(method, problem, seed=settings.seed, on_step=_shown(on_step))
    return result_of(Ascended(problem, method, settings, reference), outcome)


def vectors_problem(model: Model, target: Target, settings: SearchSettings) -> Problem:
    """The problem that the settings describe.

    Raises:
        ActmaxError: a setting is out of range.
    """
    objective = over_vectors(model, target, settings)
    frame = _frame(model, settings.bos)
    restarts = range(settings.restarts or 1)
    if settings.init_text is None:
        length = settings.length or VECTORS_LENGTH
        _check_length(model, length, frame)
        start = random_start(model, length, restarts, settings.seed)
    else:
        start = text_start(model, settings.init_text, restarts, settings.seed)
        _check_length(model, start.shape[1], frame)
    problem = Problem(objective, VectorSpace(model, start, frame))
    return Problem(objective, VectorSpace(model, start, frame, _neighbors(model, problem.unit)))


def _shown(on_step: Callable[[Progressed], None] | None) -> OnStep | None:
    if on_step is None:
        return None

    def show(restart: int, step: Step, scorer: Scorer) -> None:
        if step.vectors is not None:
            on_step(Progressed(step.index, step.total, float(step.vectors.activation.mean())))

    return show


def _frame(model: Model, policy: BosPolicy) -> Frame:
    bos = bos_id(model.tokenizer, "always") if policy == "always" else None
    return Frame() if bos is None else Frame((bos,), (), bos)


def _check_length(model: Model, length: int, frame: Frame) -> None:
    """Before any vector is made: a length that the model cannot read would only be found out later."""
    room = model.context - len(frame.before)
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
