"""Hybrid: an evolving pool that starts from real text, with moves that are learned; the default for text.

1. Score the starts (corpus windows around the unit's largest activations, cut or filled to the length);
   without any, random sequences. Where a limit of nats per token is set, three kinds of probable text join
   them, so that there is a result from the first step on: text that the model writes, such text with the
   end of a start, and the end of a start repeated (what a model has just read it expects again).
   The starts evolve alone for ``young`` steps, then so do ``islands`` populations of random rows in turn,
   then all that they have found together: real text is a good start and often a local optimum.
2. The pool is the ``pool`` best rows that differ enough (:mod:`actmax.search.population`).
3. Draw a parent from the pool: better ones and those seldom used are drawn more often.
4. The first time it is drawn, take its one-hot gradient: ``top_k`` proposals at every position. With a limit
   the gradient of the cross-entropy is part of it (at a price that is learned, step 7).
5. Make ``batch`` children that have not been scored: substitutions, crossings, shifts, swaps and copies
   (:mod:`actmax.search.moves`); those that may not be given are dropped before they cost anything. Score
   them from the parent's keys and values.
6. Learn which moves, positions and how many substitutions at once have given children better than their
   parent.
7. With a limit: where few children keep to it the price of a nat rises, where most do it falls.
8. Where the best has not changed for ``patience`` steps a token the population has converged: begin with a
   new random one, and let its best into the old pool when it has converged in turn. Repeat from 2.

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

from actmax.search.moves import Child, Moves
from actmax.search.population import Memory
from actmax.search.screening import screen
from actmax.search.seeds import probable, seeds, written
from actmax.search.text_method import Row, Steps, TextProblem, TextStep
from actmax.search.text_scorer import TextScorer

_TRIES = 6
_FEW, _MANY = 0.3, 0.6
"""Of the children within the limit: below the price rises, above it falls."""
_DEAREST = 64.0
_NEWCOMERS = 16


@dataclass(frozen=True)
class Hybrid:
    """Evolution from corpus windows with learned moves."""

    name: ClassVar[str] = "hybrid"

    pool: int = 8
    """Rows that the search goes on from."""
    batch: int = 24
    """Children of a parent at once."""
    top_k: int = 128
    """Proposals at a position."""
    radius: float = 2.0
    """Substitutions at once, on average, to begin with."""
    patience: int = 2
    """Steps for each searched token without a better best before a new population is begun."""
    islands: int = 2
    """Random populations that evolve alone beside that of the starts (none with a limit of nats)."""
    young: int = 10
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
        moves = Moves(problem.length, radius=self.radius)
        known: dict[Row, Int[Tensor, "pos k"]] = {}
        used: Counter[Row] = Counter()
        to_come = 0 if island is None else self.islands
        stale, alone, index, best = 0, 0, 0, -math.inf
        while True:
            pool = memory.pool(self.pool, island)
            parent = self._parent(pool, used, rng)
            used[parent] += 1
            if parent not in known:
                known[parent] = self._proposals(scorer, problem, memory, parent)
            children = self._children(problem, memory, moves, parent, known[parent], pool, rng)
            if not children:
                return "no new sequence that may be given is near the best ones"
            rows = torch.tensor([child.row for child in children])
            memory.add(rows, scorer.ids(rows, base=torch.tensor([parent])))
            before = memory.merit(parent)
            moves.learn(parent, children, [memory.merit(child.row) > before for child in children])
            self._learn_price(problem, memory, children)
            if island is not None:
                island |= {child.row for child in children}
            top = memory.best(island)[0]
            yield TextStep(index, tuple(pool), tuple(memory.merit(row) for row in pool))
            index, alone = index + 1, alone + 1
            stale = 0 if memory.merit(top) > best else stale + 1
            best = memory.merit(top)
            young = island is not None and alone >= self.young and index <= self.young * (self.islands + 1)
            if young or stale >= self.patience * problem.length:
                stale = alone = 0
                another = to_come > 0 or island is None
                to_come = max(0, to_come - 1)
                island = self._island(scorer, problem, memory, rng) if another else None
                best = memory.merit(memory.best(island)[0])
                moves.radius = self.radius

    def _parent(self, pool: list[Row], used: Counter[Row], rng: torch.Generator) -> Row:
        weights = torch.tensor([math.exp(-rank / 2) / (1 + used[row]) for rank, row in enumerate(pool)])
        return pool[int(torch.multinomial(weights, 1, generator=rng))]

    def _proposals(
        self, scorer: TextScorer, problem: TextProblem, memory: Memory, parent: Row
    ) -> Int[Tensor, "pos k"]:
        fluency = None
        if problem.goal.max_nats is not None:
            fluency = torch.tensor([problem.goal.fluency + memory.price], dtype=torch.float64)
        return scorer.proposals(torch.tensor([parent]), self.top_k, fluency=fluency).tokens[0]

    def _children(
        self,
        problem: TextProblem,
        memory: Memory,
        moves: Moves,
        parent: Row,
        tokens: Int[Tensor, "pos k"],
        pool: list[Row],
        rng: torch.Generator,
    ) -> list[Child]:
        found: dict[Row, Child] = {}
        for _ in range(_TRIES):
            fresh: dict[Row, Child] = {}
            for _ in range(self.batch):
                child = moves.child(parent, tokens, pool, rng)
                if child.row not in memory and child.row not in found:
                    fresh.setdefault(child.row, child)
            if fresh:
                good = problem.tokens.keep(torch.tensor(list(fresh))).tolist()
                found |= {row: fresh[row] for row, fine in zip(list(fresh), good, strict=True) if fine}
            if len(found) >= self.batch:
                break
        return list(found.values())[: self.batch]

    def _learn_price(self, problem: TextProblem, memory: Memory, children: list[Child]) -> None:
        if problem.goal.max_nats is None:
            return
        within = sum(memory.within(child.row) for child in children) / len(children)
        unit = memory.spread
        if within < _FEW:
            memory.price = min(memory.price * 1.15, unit * _DEAREST)
        elif within > _MANY:
            memory.price = max(memory.price / 1.15, unit / _DEAREST)

    def _island(
        self, scorer: TextScorer, problem: TextProblem, memory: Memory, rng: torch.Generator
    ) -> set[Row]:
        """A new population of random rows; with a limit of nats, of changed starts."""
        rows = problem.tokens.random(_NEWCOMERS, problem.length, rng)
        if problem.goal.max_nats is not None:
            old = torch.tensor(memory.best()[:_NEWCOMERS])
            noise = rows[: len(old)]
            changed = torch.where(torch.rand(old.shape, generator=rng) < 1 / 3, noise, old)
            rows = torch.cat([changed[problem.tokens.keep(changed)], rows[:4]])
        memory.add(rows, scorer.ids(rows))
        return {tuple(row) for row in rows.tolist()}
