"""Running a method: budget, restarts, progress, interruption, checkpoints, and what was found.

1. Restart k draws from its own stream ``(seed, k)``. With a number of restarts it may spend the budget up to
   its share, and what an earlier one has left over (it converged) is the next one's; without, a method that
   has converged begins again until the budget is spent. A method over vectors runs all restarts as one batch.
2. A restart ends by the budget, by converging, or by the user (Ctrl-C); which, is reported.
3. The best sequences and the frontier are run again, each by itself; the order and the numbers are those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.inputs.tokens import TokenSpace
from actmax.rng import stream
from actmax.search.archive import Archive, FoundRow
from actmax.search.identity import identity_of
from actmax.search.journal import NAME, Journal
from actmax.search.meter import BudgetSpent, Spent, share_of
from actmax.search.method import Method, Step, VectorState
from actmax.search.problem import Problem, Row
from actmax.search.scorer import Scorer
from actmax.search.solution import Solution, solution_of

SPENT, STOPPED = "the budget is spent", "stopped by the user"
MOST_RESTARTS = 10_000
_RERUN = 16
"""The best of each restart that are run again by themselves."""

OnStep: TypeAlias = Callable[[int, Step, Scorer], None]
"""Called with every step: restart, step, scorer."""


@dataclass(frozen=True)
class Trace:
    """What was recorded of every step of a search over vectors."""

    step: list[int]
    activation: Float[Tensor, "step restart"]
    gradient_norm: Float[Tensor, "step restart"]
    neighbors: Float[Tensor, "step restart neighbor"]


@dataclass(frozen=True)
class Restart:
    """One restart; of a search over vectors, all of them."""

    number: int
    best: Solution | None
    """None where nothing that it scored may be given."""
    curve: tuple[FoundRow, ...]
    """Every improvement of its best; ``at`` counts sequences from the beginning of the search."""
    steps: int
    ended: str
    """Why, as a sentence's end: ``the budget is spent``, what has converged, ``stopped by the user``."""


@dataclass(frozen=True)
class Outcome:
    """What a search found, scored again."""

    restarts: tuple[Restart, ...]
    cost: Spent
    """Of the search, without the scoring at the end."""
    complete: bool
    """False where the user stopped it; all else holds what was reached."""
    solutions: tuple[Solution, ...] = ()
    """The best distinct sequences of tokens, best first."""
    frontier: tuple[Solution, ...] = ()
    """Activation against nats per token: no other sequence that was run again beats one in both."""
    candidates: tuple[FoundRow, ...] = ()
    """More of the best, as the search scored them (for :mod:`actmax.search.diversity`)."""
    last: VectorState | None = None
    """Where a search over vectors ended."""
    trace: Trace | None = None
    """Of a search over vectors."""

    @property
    def best(self) -> Solution | None:
        """The best sequence of tokens, or None."""
        return self.solutions[0] if self.solutions else None


def run(
    method: Method,
    problem: Problem,
    budget: int | None = None,
    *,
    seed: int = 0,
    restarts: int | None = None,
    resume: Path | None = None,
    on_step: OnStep | None = None,
) -> Outcome:
    """Search until the budget is spent, the method has converged, or the user stops it.

    Args:
        method: what proposes.
        problem: what is searched for.
        budget: sequences that may be scored; None is no limit, for a method that ends by itself.
        seed: of all draws.
        restarts: independent searches, each with its share of the budget; None begins another one whenever a
            method has converged and budget is left.
        resume: the directory of a journal: begun there, or continued where there is one.
        on_step: called with every step, for progress.

    Raises:
        ActmaxError: the directory holds the journal of another search.
        KeyboardInterrupt: a search over vectors was stopped before its first step.
    """
    if not isinstance(problem.space, method.space):
        raise TypeError(f"{method.name} does not search {type(problem.space).__name__}")
    path = None if resume is None else resume / NAME
    journal = None if path is None else Journal(path, identity_of(method, problem, budget, seed, restarts))
    scorer = Scorer(problem, budget, journal=journal)
    ended: list[_Ended] = []
    try:
        for number in range(MOST_RESTARTS if restarts is None else restarts):
            scorer.archive = Archive(problem)
            if restarts is not None and not method.once:
                scorer.meter.allot((number + 1) / restarts)
            spent = scorer.cost.forward_tokens
            ended.append(_search(method, scorer, number, seed, on_step))
            if ended[-1].why == STOPPED or method.once:
                break
            done = ended[-1].why == SPENT or scorer.left == 0
            if restarts is None and (done or budget is None or scorer.cost.forward_tokens == spent):
                break
    finally:
        if journal is not None:
            journal.close()
    return _outcome(problem, ended, scorer.cost)


def run_each(
    method: Method,
    problem: Problem,
    budget: int,
    *,
    seed: int = 0,
    restarts: int | None = None,
    resume: Path | None = None,
    on_step: OnStep | None = None,
) -> dict[int, Outcome]:
    """Read every position in turn (``--positions each``): one search each, in equal shares of the budget.

    Args:
        method, problem, budget, seed, on_step: as for :func:`run`.
        restarts: of each search.
        resume: the directory under which each position has one of its own.

    Returns:
        Position after the prefix to what was found for it. Where the user stops, the positions so far.

    Raises:
        ActmaxError: there are more positions than sequences in the budget.
    """
    n = problem.tokens.least + len(problem.frame.after)
    rule = problem.reported.rule
    first = 0 if problem.frame.before or rule is None or rule.first else 1
    places = range(first, n)
    if budget < len(places):
        raise ActmaxError(
            f"A budget of {budget} sequences is less than one for each of {len(places)} positions; "
            "raise --budget, or read fewer positions."
        )
    share = share_of(budget, 1 / len(places))
    found: dict[int, Outcome] = {}
    for place in places:
        folder = None if resume is None else position_folder(resume, place)
        found[place] = run(
            method, problem.at(place), share, seed=seed, restarts=restarts, resume=folder, on_step=on_step
        )
        if not found[place].complete:
            break
    return found


def position_folder(folder: Path, place: int) -> Path:
    """Where the journal of one position is."""
    return folder / f"position-{place}"


@dataclass
class _Ended:
    """What one pass through a method left."""

    archive: Archive
    steps: int = 0
    why: str = ""
    index: list[int] = field(default_factory=list)
    states: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    last: VectorState | None = None

    def see(self, step: Step) -> None:
        self.steps += 1
        state = step.vectors
        if state is not None:
            self.index.append(step.index)
            self.states.append((state.activation.cpu(), state.gradient_norm.cpu(), state.neighbors.cpu()))
            self.last = state

    @property
    def trace(self) -> Trace | None:
        if not self.states:
            return None
        return Trace(self.index, *(torch.stack(column) for column in zip(*self.states, strict=True)))


def _search(method: Method, scorer: Scorer, number: int, seed: int, on_step: OnStep | None) -> _Ended:
    ended = _Ended(scorer.archive)
    search = method.search(scorer, scorer.problem, stream(seed, number))
    try:
        while True:
            step = next(search)
            ended.see(step)
            if on_step is not None:
                on_step(number, step, scorer)
    except StopIteration as end:
        ended.why = str(end.value or "the method has ended")
    except BudgetSpent:
        ended.why = SPENT
    except KeyboardInterrupt:
        if not ended.steps and not isinstance(scorer.problem.space, TokenSpace):
            raise
        ended.why = STOPPED
    return ended


def _outcome(problem: Problem, ended: list[_Ended], cost: Spent) -> Outcome:
    complete = all(one.why != STOPPED for one in ended)
    if not isinstance(problem.space, TokenSpace):
        made = tuple(Restart(k, None, (), one.steps, one.why) for k, one in enumerate(ended))
        return Outcome(made, cost, complete, last=ended[-1].last, trace=ended[-1].trace)
    restarts: list[Restart] = []
    solutions: dict[Row, Solution] = {}
    frontier: dict[Row, Solution] = {}
    candidates: dict[Row, FoundRow] = {}
    for number, one in enumerate(ended):
        archive = one.archive
        mine = _rerun(problem, archive.found[:_RERUN], number)
        restarts.append(Restart(number, mine[0] if mine else None, tuple(archive.curve), one.steps, one.why))
        for solution in mine:
            solutions.setdefault(solution.ids, solution)
        for solution in _rerun(problem, archive.frontier, number):
            frontier.setdefault(solution.ids, solution)
        for found in archive.found:
            candidates.setdefault(found.ids, found)
    ordered = sorted(solutions.values(), key=_order)
    return Outcome(
        tuple(restarts),
        cost,
        complete,
        solutions=tuple(solution for solution in ordered if _may_be_given(problem, solution)),
        frontier=pareto(problem, [*frontier.values(), *ordered]),
        candidates=tuple(sorted(candidates.values(), key=lambda one: (-one.score, one.ids))),
    )


def _rerun(problem: Problem, found: Iterable[FoundRow], restart: int) -> list[Solution]:
    return sorted((solution_of(problem, one.ids, one.at, restart) for one in found), key=_order)


def _order(one: Solution) -> tuple[float, Row]:
    return -one.score, one.ids


def _may_be_given(problem: Problem, one: Solution) -> bool:
    return one.score > float("-inf") and (problem.limit is None or one.nats <= problem.limit)


def pareto(problem: Problem, found: Iterable[Solution]) -> tuple[Solution, ...]:
    """Those that no other beats in both activation and nats per token, most active first."""
    sign = problem.objective.sign
    ordered = sorted(
        (one for one in found if one.activation == one.activation),
        key=lambda one: (-sign * one.activation, one.nats, one.ids),
    )
    front: list[Solution] = []
    for one in ordered:
        if not front or one.nats < front[-1].nats:
            front.append(one)
    return tuple(front)
