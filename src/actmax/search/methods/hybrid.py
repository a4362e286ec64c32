"""Hybrid: an evolving pool that starts from real text and from random rows; the default for text.

1. Score the starts (corpus windows around the unit's largest activations, cut or filled to the length);
   without any, random sequences. Where a limit of nats per token is set, three kinds of probable text join
   them, so that there is a result from the first step on: text that the model writes, such text with the
   end of a start, and the end of a start repeated (what a model has just read it expects again).
   The starts evolve alone for ``young`` steps, then so do ``islands`` populations of random rows in turn,
   then all that they have found together: real text is a good start and often a local optimum.
2. Random rows are read at every position: where one is active in the middle, what leads there is moved to the
   end (:func:`actmax.search.seeds.newcomers`).
3. The pool is the ``pool`` best rows that differ enough (:mod:`actmax.search.population`).
4. Draw ``parents`` from the pool: better ones and those seldom used are drawn more often. The first time one
   is drawn, take its one-hot gradient: ``top_k`` proposals at every position. With a limit the gradient of
   the cross-entropy is part of it (at a price that is learned, step 7).
5. Make ``batch`` children of each that have not been scored (:mod:`actmax.search.moves`), mostly with one
   token changed; those that may not be given are dropped before they cost anything. Score them from the
   parents' keys and values.
6. Put what the better children of a parent have changed together: the best two, the best three, up to
   ``merge`` rows. Score these too. Most single gains are small and many of them add up.
7. With a limit: where few children keep to it the price of a nat rises, where most do it falls.
8. Where the best has not changed for ``patience`` steps a token the population has converged: begin with a
   new random one, and let its best into the old pool when it has converged in turn. Repeat from 3.

With one token to search for, :mod:`actmax.search.screening` is the method instead.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.search.moves import FREE, PROBABLE, Moves, merged
from actmax.search.population import Memory
from actmax.search.screening import screen
from actmax.search.seeds import newcomers, probable, seeds, written
from actmax.search.text_method import Row, Steps, TextProblem, TextStep
from actmax.search.text_scorer import TextScorer

_TRIES = 6
_FEW, _MANY = 0.3, 0.6
"""Of the children within the limit: below the price rises, above it falls."""
_DEAREST = 64.0


@dataclass(frozen=True)
class Hybrid:
    """Evolution from corpus windows and random rows."""

    name: ClassVar[str] = "hybrid"

    pool: int = 8
    """Rows that the search goes on from."""
    parents: int = 2
    """Of them that have children in a step."""
    batch: int = 24
    """Children of each."""
    merge: int = 6
    """Rows at most in which the changes of a parent's better children are put together."""
    top_k: int = 128
    """Proposals at a position."""
    radius: float = 1.3
    """Substitutions at once, on average."""
    slant: float = 0.1
    """How much oftener a position is changed than the one before it (the logarithm)."""
    patience: int = 2
    """Steps for each searched token without a better best before a new population is begun."""
    islands: int = 2
    """Random populations that evolve alone beside that of the starts (none with a limit of nats)."""
    young: int = 5
    """Steps that each of them has to itself."""
    share: float = 0.05
    """Of the vocabulary that may be scored where one token is searched."""

    def search(self, scorer: TextScorer, problem: TextProblem, rng: torch.Generator) -> Steps:
        """Evolve until the budget ends or nothing new can be proposed."""
        if problem.length == 1:
            return (yield from screen(scorer, problem, rng, self.share))
        memory = Memory(problem.goal)
        rows = seeds(problem, rng)
        memory.add(rows, scorer.ids(rows))
        if problem.goal.max_nats is not None:
            fluent = probable(problem, rows, written(scorer, problem, rng))
            new = torch.tensor([tuple(row) not in memory for row in fluent.tolist()], dtype=torch.bool)
            memory.add(fluent[new], scorer.ids(fluent[new]))
            memory.price = memory.spread
        first = {tuple(row) for row in rows.tolist()} if problem.goal.max_nats is None else None
        return (yield from self._evolve(scorer, problem, memory, first, rng))

    def _evolve(
        self,
        scorer: TextScorer,
        problem: TextProblem,
        memory: Memory,
        island: set[Row] | None,
        rng: torch.Generator,
    ) -> Steps:
        used: Counter[Row] = Counter()
        known: dict[Row, Int[Tensor, "pos k"]] = {}
        to_come = 0 if island is None else self.islands
        stale, alone, index, best = 0, 0, 0, -math.inf
        while True:
            pool = memory.pool(self.pool, island)
            parents = self._parents(pool, used, rng)
            used.update(parents)
            fresh = [row for row in parents if row not in known]
            if fresh:
                known |= zip(fresh, self._proposals(scorer, problem, memory, fresh), strict=True)
            children = self._children(problem, memory, parents, known, pool, rng)
            if not any(children):
                return "no new sequence that may be given is near the best ones"
            self._score(scorer, memory, parents, children)
            together = [
                self._merged(problem, memory, row, mine) for row, mine in zip(parents, children, strict=True)
            ]
            self._score(scorer, memory, parents, together)
            made = [row for mine in [*children, *together] for row in mine]
            self._learn_price(memory, made)
            if island is not None:
                island |= set(made)
            top = memory.merit(memory.best(island)[0])
            yield TextStep(index, tuple(pool), tuple(memory.merit(row) for row in pool))
            index, alone = index + 1, alone + 1
            stale = 0 if top > best else stale + 1
            best = top
            young = island is not None and alone >= self.young and index <= self.young * (self.islands + 1)
            if young or stale >= self.patience * problem.length:
                stale = alone = 0
                another = to_come > 0 or island is None
                to_come = max(0, to_come - 1)
                island = newcomers(scorer, problem, memory, rng) if another else None
                best = memory.merit(memory.best(island)[0])

    def _parents(self, pool: list[Row], used: Counter[Row], rng: torch.Generator) -> list[Row]:
        weights = torch.tensor([math.exp(-rank / 2) / (1 + used[row]) for rank, row in enumerate(pool)])
        drawn = torch.multinomial(weights, min(self.parents, len(pool)), generator=rng)
        return [pool[k] for k in drawn.tolist()]

    def _proposals(
        self, scorer: TextScorer, problem: TextProblem, memory: Memory, parents: list[Row]
    ) -> Int[Tensor, "parent pos k"]:
        fluency = None
        if problem.goal.max_nats is not None:
            price = problem.goal.fluency + memory.price
            fluency = torch.full((len(parents),), price, dtype=torch.float64)
        return scorer.proposals(torch.tensor(parents), self.top_k, fluency=fluency).tokens

    def _children(
        self,
        problem: TextProblem,
        memory: Memory,
        parents: list[Row],
        known: dict[Row, Int[Tensor, "pos k"]],
        pool: list[Row],
        rng: torch.Generator,
    ) -> list[list[Row]]:
        """New rows that may be given, for each parent."""
        kinds = FREE if problem.goal.max_nats is None else PROBABLE
        moves = Moves(problem.length, kinds, self.radius, self.slant)
        families: list[list[Row]] = []
        taken: set[Row] = set()
        for parent in parents:
            mine: list[Row] = []
            for _ in range(_TRIES):
                drawn = [moves.child(parent, known[parent], pool, rng) for _ in range(self.batch - len(mine))]
                rows = [row for row in dict.fromkeys(drawn) if row not in memory and row not in taken]
                mine += _given(problem, rows)
                taken |= set(rows)
                if len(mine) == self.batch:
                    break
            families.append(mine)
        return families

    def _merged(self, problem: TextProblem, memory: Memory, parent: Row, children: list[Row]) -> list[Row]:
        better = [row for row in memory.best(set(children)) if memory.merit(row) > memory.merit(parent)]
        return _given(problem, [row for row in merged(parent, better, self.merge) if row not in memory])

    def _score(
        self, scorer: TextScorer, memory: Memory, parents: list[Row], families: list[list[Row]]
    ) -> None:
        of = {row: k for k, mine in enumerate(families) for row in mine}
        if of:
            rows = torch.tensor(list(of))
            memory.add(rows, scorer.ids(rows, base=torch.tensor(parents), of=torch.tensor(list(of.values()))))

    def _learn_price(self, memory: Memory, rows: list[Row]) -> None:
        if memory.goal.max_nats is None:
            return
        within = sum(memory.within(row) for row in rows) / len(rows)
        unit = memory.spread
        if within < _FEW:
            memory.price = min(memory.price * 1.15, unit * _DEAREST)
        elif within > _MANY:
            memory.price = max(memory.price / 1.15, unit / _DEAREST)


def _given(problem: TextProblem, rows: list[Row]) -> list[Row]:
    """Those of the rows that may be given."""
    if not rows:
        return []
    good = problem.tokens.keep(torch.tensor(rows)).tolist()
    return [row for row, fine in zip(rows, good, strict=True) if fine]
