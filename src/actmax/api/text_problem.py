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
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.progress import Progress, silent
from actmax.results.run import CorpusMaximum
from actmax.search.goal import Goal, Where
from actmax.search.sinks import sinks_at
from actmax.search.text_method import TextProblem


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
) -> TextProblem:
    """The problem without what a corpus gives.

    Raises:
        ActmaxError: a setting is out of range.
    """
    goal = Goal(
        unit,
        positions,
        minimize=minimize,
        fluency=settings.fluency,
        max_nats=settings.max_cross_entropy,
        read_first=settings.include_sinks,
        also=tuple((weight, resolve(model, name)) for weight, name in also),
    )
    frame = frame_of(
        model, prefix=settings.prefix, suffix=settings.suffix, bos=settings.bos, chat=settings.chat
    )
    return TextProblem(
        model, goal, settings.length, allowed_tokens(model), frame, settings.reachable, settings.shortest
    )


def read_corpus(
    problem: TextProblem, settings: TextSettings, progress: Progress = silent
) -> CorpusStarts | None:
    """Starts and corpus maximum for a problem; None where ``settings.starts`` is 0.

    Raises:
        ActmaxError: the corpus cannot be read.
        KeyboardInterrupt: stopped before all was read.
    """
    if not settings.starts:
        return None
    return corpus_starts(
        problem.model,
        problem.goal.unit,
        length=settings.length,
        n=settings.starts,
        minimize=problem.goal.minimize,
        bos=settings.bos,
        corpus=settings.corpus,
        progress=progress,
    )


def with_corpus(
    problem: TextProblem, settings: TextSettings, known: CorpusStarts | None
) -> tuple[TextProblem, CorpusMaximum | None]:
    """The whole problem, and what its optimum is measured against.

    With further units in the objective there is nothing to measure it against: their sum was not observed.
    """
    goal = problem.goal
    sinks = None
    if known is not None:
        problem, sinks = replace(problem, starts=known.rows), known.sinks
    if not settings.include_sinks:
        sinks = sinks or sinks_at(problem.model, goal.unit.site, problem.tokens)
        problem = replace(problem, goal=replace(goal, sinks=sinks))
    if goal.also:
        return problem, None
    extreme = None if known is None else known.extreme
    if settings.atlas is not None:
        scale = scale_in_atlas(problem.model, goal.unit, Atlas.open(settings.atlas))
        extreme = extreme if scale is None else scale.extreme(minimize=goal.minimize)
    return problem, extreme
