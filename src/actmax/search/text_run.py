"""Running a token method: budget, restarts, interruption, and the truth about what was found.

1. Restart k draws from its own stream ``(seed, k)``. With a number of restarts it may spend the budget up to
   its share, and what an earlier one has left over (it converged) is the next one's; without, a method that
   has converged begins again until the budget is spent.
2. A restart ends by the budget, by converging, or by the user (Ctrl-C); which, is reported.
3. The best sequences and the frontier are run again, alone; the order and the numbers are those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from actmax.errors import ActmaxError
from actmax.rng import stream
from actmax.search.alone import Solution, run_alone
from actmax.search.archive import Archive, Found
from actmax.search.identity import identity_of
from actmax.search.journal import NAME, Journal
from actmax.search.meter import Budget, BudgetSpent, Cost
from actmax.search.text_method import TextMethod, TextProblem, TextStep
from actmax.search.text_scorer import TextScorer

SPENT, STOPPED = "the budget is spent", "stopped by the user"
MOST_RESTARTS = 10_000
_RERUN = 16
"""The best of each restart that are run again alone."""


@dataclass(frozen=True)
class TextRun:
    """One restart."""

    restart: int
    best: Solution | None
    """None where nothing that it scored may be given."""
    curve: tuple[Found, ...]
    """Every improvement of its best; ``at`` counts sequences from the beginning of the search."""
    steps: int
    ended: str
    """Why, as a sentence's end: ``the budget is spent``, what has converged, ``stopped by the user``."""


@dataclass(frozen=True)
class TextOutcome:
    """What a search found, re-scored."""

    runs: tuple[TextRun, ...]
    solutions: tuple[Solution, ...]
    """The best distinct sequences, best first."""
    frontier: tuple[Solution, ...]
    """Activation against nats per token: no other sequence that was run alone beats one in both."""
    candidates: tuple[Found, ...]
    """More of the best, as the search scored them (for :mod:`actmax.search.diversity`)."""
    cost: Cost
    """Of the search, without the re-scoring."""
    complete: bool
    """False where the user stopped it."""

    @property
    def best(self) -> Solution | None:
        """The best, or None."""
        return self.solutions[0] if self.solutions else None


def run_text(
    method: TextMethod,
    problem: TextProblem,
    budget: Budget,
    *,
    seed: int = 0,
    restarts: int | None = None,
    resume: Path | None = None,
    on_step: Callable[[int, TextStep, TextScorer], None] | None = None,
) -> TextOutcome:
    """Search until the budget is spent, the method has converged, or the user stops it.

    Args:
        method: what proposes.
        problem: what is searched for.
        budget: at least one limit, or a method that ends by itself.
        seed: of all draws.
        restarts: independent searches, each with its share of the budget; None begins another one whenever a
            method has converged and budget is left.
        resume: the directory of a journal: begun there, or continued where there is one.
        on_step: told of every step, for progress: restart, step, scorer.

    Raises:
        ActmaxError: the directory holds the journal of another search.
    """
    path = None if resume is None else resume / NAME
    journal = None if path is None else Journal(path, identity_of(method, problem, budget, seed, restarts))
    scorer = TextScorer(problem, budget, journal=journal)
    ended: list[tuple[Archive, int, str]] = []
    limitless = budget == Budget()
    try:
        for restart in range(MOST_RESTARTS if restarts is None else restarts):
            scorer.archive = Archive(problem)
            if restarts is not None:
                scorer.meter.allot((restart + 1) / restarts)
            spent = scorer.cost
            steps, why = _search(method, scorer, restart, seed, on_step)
            ended.append((scorer.archive, steps, why))
            if why == STOPPED or getattr(method, "repeats", False):
                break
            done = why == SPENT or scorer.left == 0
            if restarts is None and (done or limitless or scorer.cost.forward_tokens == spent.forward_tokens):
                break
    finally:
        if journal is not None:
            journal.close()
    return _outcome(problem, ended, scorer.cost)


def run_each(
    method: TextMethod,
    problem: TextProblem,
    budget: Budget,
    *,
    seed: int = 0,
    restarts: int | None = None,
    resume: Path | None = None,
    on_step: Callable[[int, TextStep, TextScorer], None] | None = None,
) -> dict[int, TextOutcome]:
    """Read every position in turn (``--positions each``): one search a position, equal shares of the budget.

    Args:
        method, problem, budget, seed, on_step: as for :func:`run_text`.
        restarts: of each search.
        resume: the directory under which each position has one of its own.

    Returns:
        Position after the prefix to what was found for it. Where the user stops, the positions so far.

    Raises:
        ActmaxError: there are more positions than sequences in the budget.
    """
    n = problem.least + len(problem.frame.after)
    places = range(0 if problem.frame.before or problem.goal.read_first else 1, n)
    if budget.sequences is not None and budget.sequences < len(places):
        raise ActmaxError(
            f"A budget of {budget.sequences} sequences is less than one for each of {len(places)} positions; "
            "raise --budget, or read fewer positions."
        )
    share = budget.share(1 / len(places))
    found: dict[int, TextOutcome] = {}
    for place in places:
        one = replace(problem, goal=replace(problem.goal, positions=place))
        folder = None if resume is None else position_folder(resume, place)
        found[place] = run_text(
            method, one, share, seed=seed, restarts=restarts, resume=folder, on_step=on_step
        )
        if not found[place].complete:
            break
    return found


def position_folder(folder: Path, place: int) -> Path:
    """Where the journal of one position is."""
    return folder / f"position-{place}"


def _search(
    method: TextMethod,
    scorer: TextScorer,
    restart: int,
    seed: int,
    on_step: Callable[[int, TextStep, TextScorer], None] | None,
) -> tuple[int, str]:
    steps = 0
    search = method.search(scorer, scorer.problem, stream(seed, restart))
    try:
        while True:
            step = next(search)
            steps += 1
            if on_step is not None:
                on_step(restart, step, scorer)
    except StopIteration as end:
        return steps, str(end.value or "the method has ended")
    except BudgetSpent:
        return steps, SPENT
    except KeyboardInterrupt:
        return steps, STOPPED


def _outcome(problem: TextProblem, ended: list[tuple[Archive, int, str]], cost: Cost) -> TextOutcome:
    runs: list[TextRun] = []
    solutions: dict[tuple[int, ...], Solution] = {}
    frontier: dict[tuple[int, ...], Solution] = {}
    candidates: dict[tuple[int, ...], Found] = {}
    for restart, (archive, steps, why) in enumerate(ended):
        mine = _rerun(problem, archive.found[:_RERUN], restart)
        runs.append(TextRun(restart, mine[0] if mine else None, tuple(archive.curve), steps, why))
        for one in mine:
            solutions.setdefault(one.ids, one)
        for one in _rerun(problem, archive.frontier, restart):
            frontier.setdefault(one.ids, one)
        for found in archive.found:
            candidates.setdefault(found.ids, found)
    ordered = sorted(solutions.values(), key=_order)
    within = [one for one in ordered if _given(problem, one)]
    best = sorted(candidates.values(), key=lambda one: (-one.score, one.ids))
    complete = all(why != STOPPED for _, _, why in ended)
    front = pareto(problem, [*frontier.values(), *ordered])
    return TextOutcome(tuple(runs), tuple(within), front, tuple(best), cost, complete)


def _rerun(problem: TextProblem, found: Iterable[Found], restart: int) -> list[Solution]:
    return sorted((run_alone(problem, one.ids, one.at, restart) for one in found), key=_order)


def _order(one: Solution) -> tuple[float, tuple[int, ...]]:
    return -one.score, one.ids


def _given(problem: TextProblem, one: Solution) -> bool:
    limit = problem.goal.max_nats
    return one.score > float("-inf") and (limit is None or one.nats <= limit)


def pareto(problem: TextProblem, found: Iterable[Solution]) -> tuple[Solution, ...]:
    """Those that none of the others beats in both activation and nats per token, most active first."""
    sign = problem.goal.sign
    ordered = sorted(
        (one for one in found if one.activation == one.activation),
        key=lambda one: (-sign * one.activation, one.nats, one.ids),
    )
    front: list[Solution] = []
    for one in ordered:
        if not front or one.nats < front[-1].nats:
            front.append(one)
    return tuple(front)
