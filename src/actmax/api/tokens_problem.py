"""From settings to the problem that a token method searches: checked before any corpus is read.

1. :func:`tokens_problem` builds objective, frame and vocabulary, so that a mistake is found at once.
2. :func:`with_corpus` adds what the corpus gives: starts, and the median residual norm that tells sinks.
"""

from __future__ import annotations

from dataclasses import replace

from actmax.api.corpus_starts import CorpusStarts, corpus_starts
from actmax.api.methods import TOKENS_LENGTH
from actmax.api.wanted import Target, over_tokens
from actmax.atlas.atlas import Atlas
from actmax.atlas.scale import scale_in_atlas
from actmax.corpus.corpus import DEFAULT_CORPUS
from actmax.errors import ActmaxError
from actmax.inputs.allowed import allowed_tokens
from actmax.inputs.frame import frame_of
from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.models.sinks import Sinks
from actmax.objectives.activation import Activation
from actmax.objectives.objective import Objective, Term
from actmax.objectives.reading import ReadingRule
from actmax.results.run import CorpusMaximum
from actmax.search.problem import Problem
from actmax.search.settings import SearchSettings
from actmax.search.sinks import sinks_at


def check_method(name: str, settings: SearchSettings) -> None:
    """Say at once what a method would refuse later.

    Raises:
        ActmaxError: ``exhaustive`` is to search more than one token.
    """
    if name == "exhaustive" and (settings.shortest or settings.length or TOKENS_LENGTH) > 1:
        raise ActmaxError("The method 'exhaustive' searches one token; use --length 1, or another method.")


def tokens_problem(model: Model, target: Target, settings: SearchSettings) -> Problem:
    """The problem without what a corpus gives.

    Raises:
        ActmaxError: a setting is out of range.
    """
    objective = over_tokens(model, target, settings)
    frame = frame_of(
        model, prefix=settings.prefix, suffix=settings.suffix, bos=settings.bos, chat=settings.chat
    )
    space = TokenSpace(
        model,
        allowed_tokens(model),
        frame,
        settings.reachable,
        settings.length or TOKENS_LENGTH,
        settings.shortest,
        settings.max_cross_entropy,
    )
    return Problem(_without_sinks(objective, space, settings, None), space)


def read_corpus(problem: Problem, settings: SearchSettings) -> CorpusStarts | None:
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
        length=problem.tokens.length,
        n=settings.starts,
        minimize=problem.objective.sign < 0,
        bos=settings.bos,
        corpus=settings.corpus or DEFAULT_CORPUS,
        progress=settings.progress,
    )


def with_corpus(
    problem: Problem, target: Target, settings: SearchSettings, known: CorpusStarts | None
) -> tuple[Problem, CorpusMaximum | None]:
    """The whole problem, and what its optimum is measured against.

    Where several units are read as one there is nothing to measure it against: their sum was not observed.

    Args:
        problem: as :func:`tokens_problem` gives it.
        target: what is maximised.
        settings: of the search.
        known: what a reading of the corpus gave.
    """
    space = problem.tokens if known is None else replace(problem.tokens, starts=known.rows)
    if not settings.include_sinks:
        objective = over_tokens(problem.model, target, settings)
        sinks = None if known is None else known.sinks
        problem = Problem(_without_sinks(objective, space, settings, sinks, calibrated=True), space)
    else:
        problem = Problem(problem.objective, space)
    if problem.reported.also:
        return problem, None
    extreme = None if known is None else known.extreme
    if settings.atlas is not None:
        scale = scale_in_atlas(problem.model, problem.unit, Atlas.open(settings.atlas))
        extreme = extreme if scale is None else scale.extreme(minimize=problem.objective.sign < 0)
    return problem, extreme


def _without_sinks(
    objective: Objective,
    space: TokenSpace,
    settings: SearchSettings,
    sinks: Sinks | None,
    *,
    calibrated: bool = False,
) -> Objective:
    """The objective whose activations skip sinks and position 0, unless they have rules of their own.

    Each activation has the sinks of its own depth: ``sinks`` for the first where they are known, and else
    (``calibrated``) those of random sequences.
    """

    def ruled(term: Term, first: bool) -> Term:
        if not isinstance(term, Activation) or term.rule is not None:
            return term
        here = sinks if first else None
        if here is None and calibrated:
            here = sinks_at(space.model, term.unit.site, space)
        return replace(term, rule=ReadingRule(here, settings.include_sinks))

    terms = ((weight, ruled(term, k == 0)) for k, (weight, term) in enumerate(objective.terms))
    return Objective(tuple(terms))
