"""From settings to the problem that a token method searches: checked before any corpus is read.

1. :func:`text_problem` builds goal, frame and vocabulary, so that a mistake is found at once.
2. :func:`with_corpus` adds what the corpus gives: starts, and the median residual norm that tells sinks.
"""

from __future__ import annotations

from dataclasses import replace

from actmax.api.corpus_starts import CorpusStarts, corpus_starts
from actmax.api.text_settings import TextSettings
from actmax.atlas.atlas import Atlas
from actmax.atlas.scale import scale_in_atlas
from actmax.errors import ActmaxError
from actmax.inputs.allowed import allowed_tokens
from actmax.inputs.frame import frame_of
from actmax.inputs.tokens import Tokens
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import Activation, Where, activation
from actmax.objectives.objective import Objective
from actmax.objectives.penalties import cross_entropy
from actmax.objectives.reading import ReadingRule
from actmax.progress import Progress, silent
from actmax.results.run import CorpusMaximum
from actmax.search.problem import Problem
from actmax.search.sinks import sinks_at


def check_method(name: str, settings: TextSettings) -> None:
    """Say at once what a method would refuse later.

    Raises:
        ActmaxError: ``exhaustive`` is to search more than one token.
    """
    if name == "exhaustive" and (settings.shortest or settings.length) > 1:
        raise ActmaxError("The method 'exhaustive' searches one token; use --length 1, or another method.")


def text_problem(
    model: Model,
    unit: Unit,
    settings: TextSettings,
    *,
    positions: Where = "last",
    minimize: bool = False,
    also: tuple[tuple[float, str], ...] = (),
) -> Problem:
    """The problem without what a corpus gives.

    Raises:
        ActmaxError: a setting is out of range.
    """
    further = [(weight, resolve(model, name)) for weight, name in also]
    where: Where = "min" if minimize and positions == "max" else positions
    objective = activation(unit, where, also=further)
    objective = -objective if minimize else objective
    if settings.fluency:
        objective = objective - settings.fluency * cross_entropy()
    frame = frame_of(
        model, prefix=settings.prefix, suffix=settings.suffix, bos=settings.bos, chat=settings.chat
    )
    space = Tokens(
        model,
        allowed_tokens(model),
        frame,
        settings.reachable,
        settings.length,
        settings.shortest,
        settings.max_cross_entropy,
    )
    return Problem(with_rule(objective, ReadingRule(first=settings.include_sinks)), space)


def with_rule(objective: Objective, rule: ReadingRule) -> Objective:
    """The same with one rule for every activation that has none of its own yet."""
    terms = tuple(
        (weight, replace(term, rule=rule) if isinstance(term, Activation) else term)
        for weight, term in objective.terms
    )
    return Objective(terms)


def read_corpus(problem: Problem, settings: TextSettings, progress: Progress = silent) -> CorpusStarts | None:
    """Starts and corpus maximum for a problem; None where ``settings.starts`` is 0.

    Raises:
        ActmaxError: the corpus cannot be read.
        KeyboardInterrupt: stopped before all was read.
    """
    if not settings.starts:
        return None
    return corpus_starts(
        problem.model,
        problem.unit,
        length=settings.length,
        n=settings.starts,
        minimize=problem.objective.sign < 0,
        bos=settings.bos,
        corpus=settings.corpus,
        progress=progress,
    )


def with_corpus(
    problem: Problem, settings: TextSettings, known: CorpusStarts | None
) -> tuple[Problem, CorpusMaximum | None]:
    """The whole problem, and what its optimum is measured against.

    With further units in the objective there is nothing to measure it against: their sum was not observed.
    """
    sinks = None
    if known is not None:
        problem = replace(problem, space=replace(problem.tokens, starts=known.rows))
        sinks = known.sinks
    if not settings.include_sinks:
        sinks = sinks or sinks_at(problem.model, problem.unit.site, problem.tokens)
        problem = replace(problem, objective=with_rule(problem.objective, ReadingRule(sinks)))
    if problem.reported.also:
        return problem, None
    extreme = None if known is None else known.extreme
    if settings.atlas is not None:
        scale = scale_in_atlas(problem.model, problem.unit, Atlas.open(settings.atlas))
        extreme = extreme if scale is None else scale.extreme(minimize=problem.objective.sign < 0)
    return problem, extreme
