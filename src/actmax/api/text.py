"""Maximise a unit over real tokens, and measure what is found against real text.

1. Read the corpus for the unit: starts, the corpus maximum, the median residual norm that tells sinks.
2. Search (``search/run.py``) until the budget is spent or the method has converged; with ``each`` once
   for every position, in equal shares of the budget.
3. Re-score every result alone; run its text, tokenised anew, too; look at the unit token by token.
"""

from __future__ import annotations

from typing import Any

from actmax.api.corpus_starts import CorpusStarts
from actmax.api.provenance import manifest_of
from actmax.api.text_account import Part, best_of, frontier_of, runs_of, solutions_of, total
from actmax.api.text_problem import check_method, read_corpus, text_problem, with_corpus
from actmax.api.text_settings import TextSettings
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.objectives.positions import Places, Where
from actmax.progress import Progress, silent
from actmax.results.maximize import MaximizeResult
from actmax.results.run import Best
from actmax.search.method import Method
from actmax.search.problem import Problem
from actmax.search.registry import method_class
from actmax.search.run import OnStep, run, run_each


class NothingFoundError(ActmaxError):
    """Nothing that was scored may be given as a result."""


def maximize_text(
    model: Model,
    unit: Unit,
    method: str,
    *,
    settings: TextSettings,
    positions: Places = "last",
    minimize: bool = False,
    seed: int = 0,
    also: tuple[tuple[float, str], ...] = (),
    known: CorpusStarts | None = None,
    on_step: OnStep | None = None,
    progress: Progress = silent,
) -> MaximizeResult:
    """Search real tokens for what drives a unit.

    Args:
        model: what is asked.
        unit: what is maximised.
        method: of ``actmax.search.registry``; ``text`` is the best one.
        settings: of the search.
        positions: how the unit is read after the prefix: ``last``, ``mean``, ``max``, one position, or
            ``each``: one search a position, equal shares of the budget.
        minimize: seek the lowest activation.
        seed: of all draws.
        also: further units with weights, added at every position.
        known: what a reading of a corpus gave; None reads the one of the settings.
        on_step: told of every step: restart, step, scorer.
        progress: told of reading the corpus.

    Raises:
        ActmaxError: a setting is out of range.
        NothingFoundError: nothing that was scored may be given.
        KeyboardInterrupt: stopped before there was anything to keep.
    """
    chosen: Any = method_class(method)(**settings.options)
    check_method(str(chosen.name), settings)
    where: Where = "last" if positions == "each" else positions
    problem = text_problem(model, unit, settings, positions=where, minimize=minimize, also=also)
    known = read_corpus(problem, settings, progress) if known is None else known
    problem, corpus = with_corpus(problem, settings, known)
    parts = _searched(chosen, problem, settings, seed, on_step, each=positions == "each")
    complete = all(outcome.complete for _, outcome in parts)
    best = best_of(parts)
    if best is None:
        raise _nothing(str(chosen.name), settings, parts)
    runs = runs_of(parts)
    winner = next(run for run in runs if run.restart == best)
    return MaximizeResult(
        unit=unit.name,
        site=unit.site.name,
        index=unit.index,
        model=model.name,
        method=str(chosen.name),
        seed=seed,
        positions=str(positions),
        settings=settings.plain() | vars(chosen),
        objective=_words(problem, positions),
        runs=runs,
        best=Best(best, winner.activation_final, winner.text),
        cost=total([outcome.cost for _, outcome in parts]),
        manifest=manifest_of(
            model,
            seed=seed,
            bos=f"{settings.bos}: {'in front' if problem.frame.bos is not None else 'none'}",
            corpus_sha256=None if known is None else known.extreme.sha256,
            vocabulary_mask=problem.tokens.allowed.to_json(),
        ),
        complete=complete,
        minimize=minimize,
        corpus_maximum=corpus,
        frontier=frontier_of(parts),
        solutions=solutions_of(parts, settings.samples),
    )


def _searched(
    method: Method,
    problem: Problem,
    settings: TextSettings,
    seed: int,
    on_step: OnStep | None,
    *,
    each: bool,
) -> list[Part]:
    budget = settings.budget
    if not each:
        outcome = run(
            method,
            problem,
            budget,
            seed=seed,
            restarts=settings.restarts,
            resume=settings.resume,
            on_step=on_step,
        )
        return [(problem, outcome)]
    found = run_each(
        method,
        problem,
        budget,
        seed=seed,
        restarts=settings.restarts,
        resume=settings.resume,
        on_step=on_step,
    )
    return [(problem.at(place), outcome) for place, outcome in found.items()]


def _nothing(method: str, settings: TextSettings, parts: list[Part]) -> BaseException:
    """Why there is no result: stopped too early, or nothing that was scored may be given."""
    stopped = any(not outcome.complete for _, outcome in parts)
    if stopped and not any(run.best for _, outcome in parts for run in outcome.restarts):
        return KeyboardInterrupt()
    limit = settings.max_cross_entropy
    mend = f"raise --max-cross-entropy above {limit:g}" if limit is not None else "raise --budget"
    return NothingFoundError(f"Nothing that {method} scored may be given as a result; {mend}.")


def _words(problem: Problem, positions: Places) -> str:
    text = str(problem.objective)
    if positions == "each":
        text = text.replace("last(", "each position(", 1)
    return text if problem.limit is None else f"{text}, at most {problem.limit:g} nats per token"
