"""EPO: evolutionary prompt optimisation over a range of fluency penalties.

Thompson et al. 2024, "Fluent dreaming for language models", arXiv:2402.01702.

1. ``population`` members start as random sequences. Member i has the penalty X_i, from ``penalty_min`` to
   ``penalty_max`` in equal ratios; its loss is ``-activation + X_i · nats``. The paper's penalties are in
   activation per nat. Here they are times ``scale`` standard deviations of the activation over the first
   members, so that units of any size are searched alike (``scale = 0``: as in the paper).
2. Each member's one-hot gradient of its own loss (the cross-entropy's through the token as a target, too)
   proposes ``top_k`` tokens at every position.
3. Each member has ``children``, each with one token replaced: position and proposal drawn uniformly.
4. Of all members and children the one with the least loss under X_i becomes member i, so a penalty stays with
   its member. A member that stays has its gradient still, where it was taken under the same penalty.
5. Every ``restart_every`` steps one penalty is drawn between ``restart_nats / restart_spread`` and
   ``restart_nats · restart_spread``, and the best under *that* penalty becomes every member.

The result includes the Pareto frontier of everything that was scored. With a budget of fewer than
``least_steps`` steps the children are cut to what gives that many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float, Int
from torch import Tensor

from actmax.search.answers import Proposals, Scored
from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.proposals import substituted
from actmax.search.scorer import Scorer
from actmax.shapes import Ids


@dataclass(frozen=True, kw_only=True)
class EPO(Method):
    """A population over fluency penalties."""

    name: ClassVar[str] = "epo"

    population: Annotated[int, Ge(1)] = 8
    """Members."""
    children: Annotated[int, Ge(1)] = 32
    """Children of each member in a step."""
    top_k: Annotated[int, Ge(1)] = 512
    """Proposals at a position."""
    penalty_min: Annotated[float, Gt(0)] = 0.1
    """Penalty of the least fluent member, in activation per nat."""
    penalty_max: Annotated[float, Gt(0)] = 10.0
    """Penalty of the most fluent member."""
    scale: Annotated[float, Ge(0)] = 0.1
    """Standard deviations of the activation that a penalty of 1 is; 0: penalties are in its own units."""
    least_steps: Annotated[int, Ge(1)] = 12
    """Steps that the budget has to reach for."""
    restart_every: Annotated[int, Ge(1)] = 50
    """Steps between restarts of the population."""
    restart_nats: Annotated[float, Gt(0)] = 2.0
    """Middle of the penalties that a restart draws from."""
    restart_spread: Annotated[float, Ge(1)] = 3.0
    """Factor to either side."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Evolve; this never converges."""
        low, high = torch.tensor([self.penalty_min, self.penalty_max], dtype=torch.float64).log()
        penalties = torch.linspace(float(low), float(high), self.population, dtype=torch.float64).exp()
        children = self.children
        if scorer.left is not None:
            children = max(1, min(children, scorer.left // (self.least_steps * self.population) - 1))
        ids = problem.tokens.random(self.population, problem.tokens.length, rng)
        unit = self._unit(scorer, ids)
        penalties = penalties * unit
        proposals = scorer.proposals(ids, self.top_k, price=penalties)
        index = 0
        while True:
            yield Step(index, tuple(map(tuple, ids.tolist())), tuple(proposals.scored.scores.tolist()))
            index += 1
            rows, of = substituted(problem, ids, proposals.tokens, children, rng)
            scored = scorer.ids(rows, nats=True, base=ids, of=of)
            everyone = torch.cat([ids, rows])
            gain, nats = _joined(proposals.scored, scored)
            gain = gain.nan_to_num(-torch.inf)
            keep = (gain[None] - penalties[:, None] * nats[None]).argmax(dim=1)
            if index % self.restart_every == 0:
                spread = self.restart_spread
                drawn = 1 / spread + (spread - 1 / spread) * float(torch.rand(1, generator=rng))
                keep[:] = (gain - unit * self.restart_nats * drawn * nats).argmax()
            ids, proposals = self._next(scorer, everyone, keep, proposals, penalties)

    def _unit(self, scorer: Scorer, ids: Ids) -> float:
        """What a penalty of 1 is, in activation per nat."""
        if not self.scale or len(ids) < 2:
            return 1.0
        found = scorer.ids(ids, nats=True).gain
        spread = float(found[found.isfinite()].std())
        return self.scale * spread if spread > 0 else 1.0

    def _next(
        self,
        scorer: Scorer,
        everyone: Ids,
        keep: Int[Tensor, " member"],
        old: Proposals,
        penalties: Float[Tensor, " member"],
    ) -> tuple[Int[Tensor, "member pos"], Proposals]:
        """The new members with their proposals, taken anew where a slot has a new member."""
        changed = (keep != torch.arange(self.population)).nonzero().flatten()
        ids = everyone[keep]
        if not len(changed):
            return ids, old
        new = scorer.proposals(ids[changed], self.top_k, price=penalties[changed])

        def put(before: Tensor, now: Tensor) -> Tensor:
            merged = before.clone()
            merged[changed] = now
            return merged

        assert old.scored.nats is not None  # noqa: S101 - asked with a penalty
        assert new.scored.nats is not None  # noqa: S101
        scored = Scored(
            put(old.scored.scores, new.scored.scores),
            put(old.scored.activation, new.scored.activation),
            put(old.scored.gain, new.scored.gain),
            put(old.scored.nats, new.scored.nats),
        )
        return ids, Proposals(scored, put(old.tokens, new.tokens), put(old.gains, new.gains))


def _joined(one: Scored, other: Scored) -> tuple[Float[Tensor, " all"], Float[Tensor, " all"]]:
    assert one.nats is not None  # noqa: S101 - asked for
    assert other.nats is not None  # noqa: S101
    return torch.cat([one.gain, other.gain]), torch.cat([one.nats, other.nats])
