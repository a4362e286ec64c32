"""Hybrid: an evolving pool that starts from real text; the default for text.

1. Score the starts (corpus windows around the unit's largest activations, cut or filled to the length);
   without any, random sequences. Where a limit of nats per token is set, three kinds of probable text join
   them, so that there is a result from the first step on: text that the model writes, such text with the
   end of a start, and the end of a start repeated (what a model has just read it expects again).
2. Run ``known`` tokens, drawn from the vocabulary, through the first block
   (:mod:`actmax.search.after_block`).
3. The pool is the ``pool`` best rows that differ enough (:mod:`actmax.search.hybrid.population`).
4. Draw ``parents`` from the pool: better ones and those seldom used are drawn more often. A parent needs
   proposals at every position: the ``top_k`` of the one-hot gradient in turn with the ``top_k`` of the
   gradient after the first block. A row that was better than its parent is lent its parent's; the rest
   has its own, taken the first time they are drawn. With a limit the gradient of the cross-entropy is
   part of it (at a price that is learned, step 7).
5. Make ``batch`` children of each that have not been scored (:mod:`actmax.search.hybrid.moves`), mostly with
   one token changed; those that may not be given are dropped before they cost anything. Score them from the
   parents' keys and values.
6. Put what the better children of a parent have changed together: the best two, the best three, up to
   ``merge`` rows. Score these too. Most single gains are small and many of them add up.
7. With a limit: where few children keep to it the price of a nat rises, where most do it falls.
8. Where the best has not changed for ``patience`` steps a token the population has converged: begin with a
   random one, read at every position (:func:`actmax.search.hybrid.starts.newcomers`), and let its best into
   the old pool when it has converged in turn. Repeat from 3.

Units in the first third of the model depend more simply on the tokens, and the search is greedier there:
``known_early`` tokens in step 2; most children whose change has lost on a near relative are left out in
step 5 (:mod:`actmax.search.hybrid.losses`); and in the last part of the budget (``polish``) the parents are
the first of the pool. Deeper none of this was better.

With one token to search for, :mod:`actmax.search.hybrid.screening` is the method instead.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Interval
from jaxtyping import Int
from torch import Tensor

from actmax.search.after_block import AfterBlock, after_first_block
from actmax.search.hybrid.losses import Losses
from actmax.search.hybrid.moves import FREE, PROBABLE, Moves, merged
from actmax.search.hybrid.population import Memory
from actmax.search.hybrid.screening import screen
from actmax.search.hybrid.starts import newcomers, probable, starting_rows
from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem, Row
from actmax.search.scorer import Scorer
from actmax.search.written import written

_TRIES, _CHOOSY = 6, 4
"""Draws of a parent's children, and those of them that leave out what is expected to lose."""
_EACH, _EACH_EARLY = 6, 16
"""Tokens after the first block at most, for each sequence that may be scored (for early units)."""
_FEW, _MANY = 0.3, 0.6
"""Of the children within the limit: below the price rises, above it falls."""
_DEAREST = 64.0


@dataclass(frozen=True, kw_only=True)
class Hybrid(Method):
    """Evolution from corpus windows."""

    name: ClassVar[str] = "hybrid"

    pool: Annotated[int, Ge(1)] = 8
    """Rows that the search goes on from."""
    parents: Annotated[int, Ge(1)] = 3
    """Rows of the pool that have children in a step."""
    batch: Annotated[int, Ge(1)] = 24
    """Children of each parent."""
    merge: Annotated[int, Ge(0)] = 6
    """Rows at most in which the changes of a parent's better children are put together."""
    top_k: Annotated[int, Ge(1)] = 128
    """Proposals of each gradient at a position."""
    known: Annotated[int, Ge(0)] = 8192
    """Tokens whose vectors after the first block are made; 0 proposes only by the embedding's gradient."""
    known_early: Annotated[int, Ge(0)] = 24576
    """The same for units in the first third of the model."""
    radius: Annotated[float, Ge(1)] = 1.3
    """Substitutions at once, on average."""
    slant: float = 0.1
    """How much more often a position is changed than the one before it (the logarithm)."""
    near: Annotated[int, Ge(0)] = 3
    """For these units: a substitution that has lost is left out on rows that differ in at most this many
    other positions."""
    polish: Annotated[float, Interval(ge=0, le=1)] = 0.3
    """For these units: the last part of the sequences, in which only the best rows have children."""
    patience: Annotated[int, Ge(1)] = 1
    """Steps for each searched token without a better best before a new population is begun."""
    share: Annotated[float, Interval(gt=0, le=1)] = 0.05
    """Share of the vocabulary that may be scored where one token is searched."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Evolve until the budget ends or nothing new can be proposed."""
        if problem.tokens.length == 1:
            return (yield from screen(scorer, problem, rng, self.share))
        early = _early(problem)
        losses = Losses(self.near) if early else None
        last = self.polish * (scorer.left or 0) if early else 0.0
        memory = Memory(problem)
        rows = starting_rows(problem, rng)
        memory.add(rows, scorer.ids(rows))
        if problem.limit is not None:
            fluent = probable(problem, rows, written(scorer, problem, rng))
            new = torch.tensor([tuple(row) not in memory for row in fluent.tolist()], dtype=torch.bool)
            memory.add(fluent[new], scorer.ids(fluent[new]))
            memory.price = memory.spread
        known, each = (self.known_early, _EACH_EARLY) if early else (self.known, _EACH)
        block = after_first_block(problem, scorer.meter, rng, known, each)
        return (yield from self._evolve(scorer, problem, memory, block, losses, last, rng))

    def _evolve(
        self,
        scorer: Scorer,
        problem: Problem,
        memory: Memory,
        block: AfterBlock | None,
        losses: Losses | None,
        last: float,
        rng: torch.Generator,
    ) -> Steps:
        used: Counter[Row] = Counter()
        own: dict[Row, Int[Tensor, "pos k"]] = {}
        lent: dict[Row, Int[Tensor, "pos k"]] = {}
        island: set[Row] | None = None
        stale, index, best = 0, 0, -math.inf
        while True:
            pool = memory.pool(self.pool, island)
            late = scorer.left is not None and scorer.left < last
            parents = pool[: self.parents] if late else self._parents(pool, used, rng)
            used.update(parents)
            fresh = [row for row in parents if row not in own and row not in lent]
            if fresh:
                own |= zip(fresh, self._proposals(scorer, problem, memory, block, fresh), strict=True)
            proposals = {row: own[row] if row in own else lent[row] for row in parents}
            children = self._children(problem, memory, losses, proposals, pool, rng)
            if not any(children):
                return "no new sequence that may be given is near the best ones"
            self._score(scorer, memory, parents, children)
            together = [
                self._merged(problem, memory, row, mine) for row, mine in zip(parents, children, strict=True)
            ]
            self._score(scorer, memory, parents, together)
            families = [[*mine, *more] for mine, more in zip(children, together, strict=True)]
            for parent, family in zip(parents, families, strict=True):
                if parent in own:
                    lent |= {row: own[parent] for row in family if memory.merit(row) > memory.merit(parent)}
                if losses is not None:
                    for row in family:
                        if memory.merit(row) < memory.merit(parent):
                            losses.add(parent, row)
            made = [row for family in families for row in family]
            self._learn_price(problem, memory, made)
            if island is not None:
                island |= set(made)
            top = memory.merit(memory.best(island)[0])
            yield Step(index, tuple(pool), tuple(memory.merit(row) for row in pool))
            index += 1
            stale = 0 if top > best else stale + 1
            best = top
            if stale >= self.patience * problem.tokens.length:
                stale = 0
                island = newcomers(scorer, problem, memory, rng) if island is None else None
                best = memory.merit(memory.best(island)[0])

    def _parents(self, pool: list[Row], used: Counter[Row], rng: torch.Generator) -> list[Row]:
        weights = torch.tensor([math.exp(-rank / 2) / (1 + used[row]) for rank, row in enumerate(pool)])
        drawn = torch.multinomial(weights, min(self.parents, len(pool)), generator=rng)
        return [pool[k] for k in drawn.tolist()]

    def _proposals(
        self,
        scorer: Scorer,
        problem: Problem,
        memory: Memory,
        block: AfterBlock | None,
        parents: list[Row],
    ) -> Int[Tensor, "parent pos k"]:
        prices = None
        if problem.limit is not None:
            price = problem.price + memory.price
            prices = torch.full((len(parents),), price, dtype=torch.float64)
        return scorer.proposals(torch.tensor(parents), self.top_k, price=prices, block=block).tokens

    def _children(
        self,
        problem: Problem,
        memory: Memory,
        losses: Losses | None,
        proposals: dict[Row, Int[Tensor, "pos k"]],
        pool: list[Row],
        rng: torch.Generator,
    ) -> list[list[Row]]:
        """New rows that may be given, for each parent."""
        kinds = FREE if problem.limit is None else PROBABLE
        moves = Moves(problem.tokens.length, kinds, self.radius, self.slant)
        families: list[list[Row]] = []
        taken: set[Row] = set()
        for parent, tokens in proposals.items():
            mine: list[Row] = []
            for turn in range(_TRIES):
                drawn = [moves.child(parent, tokens, pool, rng) for _ in range(self.batch - len(mine))]
                rows = [row for row in dict.fromkeys(drawn) if row not in memory and row not in taken]
                if losses is not None and turn < _CHOOSY:
                    rows = [row for row in rows if not losses.expect(parent, row)]
                mine += _given(problem, rows)
                taken |= set(rows)
                if len(mine) == self.batch:
                    break
            families.append(mine)
        return families

    def _merged(self, problem: Problem, memory: Memory, parent: Row, children: list[Row]) -> list[Row]:
        better = [row for row in memory.best(set(children)) if memory.merit(row) > memory.merit(parent)]
        return _given(problem, [row for row in merged(parent, better, self.merge) if row not in memory])

    def _score(self, scorer: Scorer, memory: Memory, parents: list[Row], families: list[list[Row]]) -> None:
        of = {row: k for k, mine in enumerate(families) for row in mine}
        if of:
            rows = torch.tensor(list(of))
            memory.add(rows, scorer.ids(rows, base=torch.tensor(parents), of=torch.tensor(list(of.values()))))

    def _learn_price(self, problem: Problem, memory: Memory, rows: list[Row]) -> None:
        if problem.limit is None:
            return
        within = sum(memory.within(row) for row in rows) / len(rows)
        unit = memory.spread
        if within < _FEW:
            memory.price = min(memory.price * 1.15, unit * _DEAREST)
        elif within > _MANY:
            memory.price = max(memory.price / 1.15, unit / _DEAREST)


def _early(problem: Problem) -> bool:
    """Whether the unit is in the first third of the model."""
    layer = problem.unit.site.layer
    return layer is not None and 3 * layer < problem.model.n_blocks


def _given(problem: Problem, rows: list[Row]) -> list[Row]:
    """Those of the rows that may be given."""
    if not rows:
        return []
    good = problem.tokens.keep(torch.tensor(rows)).tolist()
    return [row for row, fine in zip(rows, good, strict=True) if fine]
