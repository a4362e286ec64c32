"""Maximise an objective over real tokens, and measure what is found against real text.

1. Read the corpus for the unit: starts, the corpus maximum, the median residual norm that tells sinks.
2. Search (``search/run.py``) until the budget is spent or the method has converged; with ``each`` once for
   every position, in equal shares of the budget.
3. Score every result again by itself; run its text, tokenised anew, too; look at the unit token by token.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from actmax.api.corpus_starts import CorpusStarts
from actmax.api.methods import recorded
from actmax.api.provenance import manifest_of
from actmax.api.tokens_problem import check_method, read_corpus, tokens_problem, with_corpus
from actmax.api.tokens_result import Part, best_of, frontier_of, runs_of, solutions_of, total
from actmax.api.wanted import Target
from actmax.corpus.corpus import DEFAULT_CORPUS
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.results.maximize import MaximizeResult
from actmax.results.run import Best
from actmax.search.method import Method, Step
from actmax.search.problem import Problem
from actmax.search.run import OnStep, run, run_each
from actmax.search.scorer import Scorer
from actmax.search.settings import Progressed, SearchSettings


class NothingFoundError(ActmaxError):
    """Nothing that was scored may be given as a result."""


def maximize_tokens(
    model: Model,
    target: Target,
    method: Method,
    settings: SearchSettings,
    on_step: Callable[[Progressed], None] | None = None,
    known: CorpusStarts | None = None,
) -> MaximizeResult:
    """Search real tokens for what drives an objective.

    Args:
        model: what is asked.
        target: what is maximised.
        method: searches tokens.
        settings: of the search.
        on_step: called with every step.
        known: what a reading of the corpus gave; None reads the one of the settings.

    Raises:
        ActmaxError: a setting is out of range.
        NothingFoundError: nothing that was scored may be given.
        KeyboardInterrupt: stopped before there was anything to save.
    """
    check_method(method.name, settings)
    problem = tokens_problem(model, target, settings)
    known = read_corpus(problem, settings) if known is None else known
    problem, corpus = with_corpus(problem, target, settings, known)
    parts = _searched(method, problem, settings, _shown(on_step))
    best = best_of(parts)
    if best is None:
        raise _nothing(method.name, settings, parts)
    runs = runs_of(parts)
    winner = next(run for run in runs if run.restart == best)
    used = {"length": problem.tokens.length, "corpus": settings.corpus or DEFAULT_CORPUS}
    return MaximizeResult(
        unit=problem.unit.name,
        site=problem.unit.site.name,
        index=problem.unit.index,
        model=model.name,
        method=method.name,
        seed=settings.seed,
        positions=_positions(problem, settings),
        settings=recorded(method, settings, **used),
        objective=_words(problem, settings),
        runs=runs,
        best=Best(best, winner.activation_final, winner.text),
        cost=total([outcome.cost for _, outcome in parts]),
        manifest=manifest_of(
            model,
            seed=settings.seed,
            bos=f"{settings.bos}: {'in front' if problem.frame.bos is not None else 'none'}",
            corpus_sha256=None if known is None else known.extreme.sha256,
            vocabulary_mask=problem.tokens.allowed.to_json(),
        ),
        complete=all(outcome.complete for _, outcome in parts),
        minimize=problem.objective.sign < 0,
        corpus_maximum=corpus,
        frontier=frontier_of(parts),
        solutions=solutions_of(parts, settings.samples),
    )


def _searched(
    method: Method, problem: Problem, settings: SearchSettings, on_step: OnStep | None
) -> list[Part]:
    budget, seed, restarts = settings.budget, settings.seed, settings.restarts
    if settings.positions != "each":
        resume = settings.resume
        outcome = run(method, problem, budget, seed=seed, restarts=restarts, resume=resume, on_step=on_step)
        return [(problem, outcome)]
    found = run_each(
        method, problem, budget, seed=seed, restarts=restarts, resume=settings.resume, on_step=on_step
    )
    return [(problem.at(place), outcome) for place, outcome in found.items()]


def _shown(on_step: Callable[[Progressed], None] | None) -> OnStep | None:
    if on_step is None:
        return None

    def show(restart: int, step: Step, scorer: Scorer) -> None:
        best, done = scorer.archive.best, scorer.cost.sequences_scored
        on_step(Progressed(done, done + (scorer.left or 0), math.nan if best is None else best.activation))

    return show


def _nothing(method: str, settings: SearchSettings, parts: list[Part]) -> BaseException:
    """Why there is no result: stopped too early, or nothing that was scored may be given."""
    stopped = any(not outcome.complete for _, outcome in parts)
    if stopped and not any(run.best for _, outcome in parts for run in outcome.restarts):
        return KeyboardInterrupt()
    limit = settings.max_cross_entropy
    remedy = f"raise --max-cross-entropy above {limit:g}" if limit is not None else "raise --budget"
    return NothingFoundError(f"Nothing that {method} scored may be given as a result; {remedy}.")


def _positions(problem: Problem, settings: SearchSettings) -> str:
    """As they were asked for: a minimised ``max`` is read as ``min``."""
    asked = settings.positions
    return str(asked) if asked in ("each", "max") else str(problem.reported.positions)


def _words(problem: Problem, settings: SearchSettings) -> str:
    text = str(problem.objective)
    if settings.positions == "each":
        text = text.replace(f"{problem.reported.positions}(", "each position(", 1)
    return text if problem.limit is None else f"{text}, at most {problem.limit:g} nats per token"
