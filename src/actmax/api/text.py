"""Maximise a unit over real tokens, and measure what is found against real text.

1. Read the corpus for the unit: starts, the corpus maximum, the median residual norm that tells sinks.
2. Search (``search/text_run.py``) until the budget is spent or the method has converged.
3. Re-score every result alone; run its text, tokenised anew, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch

from actmax.api.corpus_starts import corpus_starts
from actmax.api.provenance import manifest_of
from actmax.api.text_settings import TextSettings
from actmax.errors import ActmaxError
from actmax.fetch.progress import Progress, silent
from actmax.inputs.allowed import allowed_tokens
from actmax.inputs.frame import frame_of
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.results.maximize import MaximizeResult
from actmax.results.run import Best, Candidate, CorpusMaximum, Cost, Run, Trajectory
from actmax.search.alone import Solution, run_alone
from actmax.search.diversity import diverse
from actmax.search.goal import Goal, Where
from actmax.search.meter import Budget
from actmax.search.registry import text_method
from actmax.search.sinks import sinks_at
from actmax.search.text_method import TextProblem, TextStep
from actmax.search.text_run import SPENT, TextOutcome, TextRun, run_text
from actmax.search.text_scorer import TextScorer


def maximize_text(
    model: Model,
    unit: Unit,
    method: str,
    *,
    settings: TextSettings,
    positions: Where = "last",
    minimize: bool = False,
    seed: int = 0,
    also: tuple[tuple[float, str], ...] = (),
    on_step: Callable[[int, TextStep, TextScorer], None] | None = None,
    progress: Progress = silent,
) -> MaximizeResult:
    """Search real tokens for what drives a unit.

    Args:
        model: what is asked.
        unit: what is maximised.
        method: of ``actmax.search.registry``; ``text`` is the best one.
        settings: of the search.
        positions: how the unit is read after the prefix: ``last``, ``mean``, ``max``, or one position.
        minimize: seek the lowest activation.
        seed: of all draws.
        also: further units with weights, added at every position.
        on_step: told of every step: restart, step, scorer.
        progress: told of reading the corpus.

    Raises:
        ActmaxError: a setting is out of range, or nothing that was scored may be given.
    """
    chosen: Any = text_method(method, settings.options)
    problem, corpus = _problem(model, unit, settings, positions, minimize, also, progress)
    outcome = run_text(
        chosen,
        problem,
        Budget(sequences=settings.budget),
        seed=seed,
        restarts=settings.restarts,
        resume=settings.resume,
        on_step=on_step,
    )
    if outcome.best is None:
        limit = settings.max_cross_entropy
        if not outcome.complete and not any(run.best for run in outcome.runs):
            raise KeyboardInterrupt
        mend = f"raise --max-cross-entropy above {limit:g}" if limit is not None else "raise --budget"
        raise ActmaxError(f"Nothing that {chosen.name} scored may be given as a result; {mend}.")
    plain = {key: value for key, value in vars(settings).items() if key not in ("options", "resume")}
    runs = tuple(_run(problem, run) for run in outcome.runs if run.best is not None)
    best = next(run for run in runs if run.restart == outcome.best.restart)
    return MaximizeResult(
        unit=unit.name,
        site=unit.site.name,
        index=unit.index,
        model=model.name,
        method=str(chosen.name),
        seed=seed,
        positions=str(positions),
        settings=plain | vars(chosen),
        objective=_words(problem, also),
        runs=runs,
        best=Best(best.restart, best.activation_final, best.text),
        cost=Cost(**vars(outcome.cost)),
        manifest=manifest_of(
            model,
            seed=seed,
            bos=f"{settings.bos}: {'in front' if problem.frame.bos is not None else 'none'}",
            corpus_sha256=None if corpus is None else corpus.sha256,
            vocabulary_mask=problem.allowed.to_json(),
        ),
        complete=outcome.complete,
        minimize=minimize,
        corpus_maximum=corpus,
        frontier=tuple(_candidate(model, one) for one in outcome.frontier),
        solutions=_solutions(problem, outcome, settings.samples),
    )


def _problem(
    model: Model,
    unit: Unit,
    settings: TextSettings,
    positions: Where,
    minimize: bool,
    also: tuple[tuple[float, str], ...],
    progress: Progress,
) -> tuple[TextProblem, CorpusMaximum | None]:
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
    problem = TextProblem(
        model,
        goal,
        settings.length,
        allowed_tokens(model),
        frame,
        settings.reachable,
        settings.shortest,
    )
    corpus = None
    sinks = None
    if settings.starts:
        known = corpus_starts(
            model,
            unit,
            length=settings.length,
            n=settings.starts,
            minimize=minimize,
            bos=settings.bos,
            progress=progress,
        )
        problem, corpus, sinks = replace(problem, starts=known.rows), known.extreme, known.sinks
    if not settings.include_sinks:
        sinks = sinks or sinks_at(model, unit.site, problem.tokens)
        problem = replace(problem, goal=replace(goal, sinks=sinks))
    return problem, corpus


def _words(problem: TextProblem, also: tuple[tuple[float, str], ...]) -> str:
    goal = problem.goal
    text = f"{'-' if goal.minimize else ''}{goal.positions}({goal.unit})"
    text += "".join(f" {'-' if weight < 0 else '+'} {abs(weight):g} · {name}" for weight, name in also)
    if goal.fluency:
        text += f" - {goal.fluency:g} · nats per token"
    if goal.max_nats is not None:
        text += f", at most {goal.max_nats:g} nats per token"
    return text


def _run(problem: TextProblem, run: TextRun) -> Run:
    """One restart, its best sequence with what its text gives."""
    tokenizer: Any = problem.model.tokenizer
    best = cast(Solution, run.best)
    text = str(tokenizer.decode(list(best.ids)))
    again = tuple(tokenizer.encode(text, add_special_tokens=False))
    same = again == best.ids
    room = problem.model.context - len(problem.frame.before) - len(problem.frame.after)
    readable = 0 < len(again) <= room
    of_text = best.activation if same else run_alone(problem, again).activation if readable else math.nan
    curve = run.curve
    return Run(
        restart=run.restart,
        activation_initial=curve[0].activation if curve else math.nan,
        activation_final=best.activation,
        trajectory=Trajectory(tuple(found.at for found in curve), tuple(found.activation for found in curve)),
        ids=best.ids,
        tokens=tuple(str(tokenizer.decode([i])) for i in best.ids),
        text=text,
        cosine=(),
        activation_of_ids=best.activation,
        activation_of_text=of_text,
        retokenizes=same,
        cross_entropy=best.nats,
        stopped=None if run.ended == SPENT else run.ended,
    )


def _candidate(model: Model, one: Solution) -> Candidate:
    return Candidate(one.activation, one.nats, str(model.tokenizer.decode(list(one.ids))), one.ids)


@torch.no_grad()
def _solutions(problem: TextProblem, outcome: TextOutcome, samples: int) -> tuple[Candidate, ...]:
    """Solutions that differ in content, best first; the best alone where one is asked for."""
    if samples == 1:
        return tuple(_candidate(problem.model, one) for one in outcome.solutions[:1])
    chosen = diverse(problem.model, outcome.candidates, samples)
    return tuple(_candidate(problem.model, run_alone(problem, one.ids, one.at)) for one in chosen)
