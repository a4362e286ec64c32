"""The one door from a token search to the model: it scores, counts, keeps the best, writes the journal.

Every call gives the answer to all rows that it was asked about, or ends the search: where the budget does not
reach, the rows that it reaches are scored and kept, and ``BudgetSpent`` is raised. Ids are on the CPU, and so
are the answers; scores are in float64. Nothing is remembered between calls but keys and values, so asking
again costs again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from actmax.models.sites import Site
from actmax.search.answers import NextTokens, Proposals, Scored, Slope
from actmax.search.archive import Archive
from actmax.search.behind import Behind
from actmax.search.engine import Engine, Seen, Trunk, common
from actmax.search.first_order import promising
from actmax.search.journal import Journal, question_of
from actmax.search.meter import Budget, BudgetSpent, Cost, Meter
from actmax.search.text_method import TextProblem
from actmax.shapes import Embeds, Ids, Scores

Parents: TypeAlias = Int[Tensor, "parent shared"]

_TRUNK_BYTES = 1 << 29
"""Logits of a trunk; more is not kept."""
_PROPOSED = 16  # rows whose gains over the whole vocabulary are held at once


class TextScorer:
    """Scores token sequences of one problem within one budget."""

    def __init__(
        self,
        problem: TextProblem,
        budget: Budget | None = None,
        *,
        journal: Journal | None = None,
        archive: Archive | None = None,
    ) -> None:
        """A scorer that has spent nothing.

        Args:
            problem: what is scored.
            budget: what may be spent; None is no limit.
            journal: where answers are read from and written to.
            archive: what was found before (in other restarts).
        """
        self.problem = problem
        self.goal = problem.goal
        self.meter = Meter(budget)
        self.archive = archive or Archive(problem)
        self.model = problem.model
        self._journal = journal
        self._engine = Engine(problem, self.meter)
        self._trunk: Trunk | None = None

    @property
    def cost(self) -> Cost:
        """What has been spent since the scorer was made."""
        return self.meter.cost

    @property
    def left(self) -> int | None:
        """Sequences that may still be scored; None is no limit."""
        return self.meter.left

    def ids(
        self,
        ids: Ids,
        *,
        nats: bool = False,
        base: Parents | None = None,
        of: Int[Tensor, " batch"] | None = None,
        everywhere: bool = False,
    ) -> Scored:
        """Score rows of tokens, without a graph.

        Args:
            ids: ``[batch, token]`` searched tokens, all allowed, at most ``problem.length`` of them.
            nats: also give the cross-entropy (the model then runs to the logits: several times the work).
            base: ``[parent, token]`` rows that these are like; what a row shares with its parent from the
                beginning on is run once. Rows and parents may differ in length.
            of: which parent each row is like; may be left out where there is one.
            everywhere: also give the unit's value at every position.

        Raises:
            BudgetSpent: not all rows could be scored; those that could have been kept.
        """
        self._check(ids)
        deep = nats or self.goal.wants_nats
        if not len(ids):
            none = torch.zeros(0, dtype=torch.float64)
            return self._scored({"activation": none, "nats": none} if deep else {"activation": none})
        trunk, of = self._shared(ids, base, of, deep)
        question = question_of("everywhere" if everywhere else "ids", ids, deep)
        if (known := self._known(question, deep)) is not None:
            answer, cut = known
        else:
            answer, cut = self._live_ids(ids, deep, trunk, of, everywhere)
            self._record(question, answer, cut)
        scored = self._scored(answer)
        self._keep(ids, scored)
        if cut:
            raise BudgetSpent
        return scored

    def gradient(self, ids: Ids, *, fluency: Scores | None = None, behind: Site | None = None) -> Slope:
        """Score rows of tokens and differentiate each score by its own tokens' embeddings.

        Args:
            ids: ``[batch, token]``.
            fluency: activation that one nat per token costs, row by row, in place of the goal's.
            behind: a residual stream that the unit reads from: differentiate by it too.
        """
        scored, answer = self._slopes("gradient", ids, fluency, site=behind)
        return Slope(scored, answer["slope"], answer.get("behind"))

    def soft_gradient(self, embeds: Embeds) -> Slope:
        """The same for vectors in the place of the searched tokens' embeddings ``[batch, token, d_model]``.

        The score is the activation's alone: vectors have no cross-entropy.
        """
        question = question_of("soft", embeds)
        if (known := self._known(question, False)) is not None:
            answer, cut = known
        else:
            rows = self.meter.affordable(len(embeds), embeds.shape[1] + self._engine.n_after, backward=True)
            graph = self._engine.gradient(embeds[:rows], None, deep=False)
            activation = self._activation(graph.seen, differentiable=True)
            (slope,) = torch.autograd.grad(self.goal.sign * activation.sum(), graph.leaf)
            self.meter.spend(scored=rows)
            answer = {"activation": _plain(self._activation(graph.seen)), "slope": slope.float().cpu()}
            cut = rows < len(embeds)
            self._record(question, answer, cut)
        if cut:
            raise BudgetSpent
        return Slope(self._scored(answer), answer["slope"])

    def proposals(
        self, ids: Ids, k: int, *, fluency: Scores | None = None, behind: Behind | None = None
    ) -> Proposals:
        """The ``k`` allowed tokens with the largest one-hot gradient at every position of every row.

        With a fluency penalty (the goal's, or row by row here) the gradient of the cross-entropy is part of
        it, through the embeddings and through the token as a target.

        Args:
            ids: ``[batch, token]``.
            k: tokens wanted.
            fluency: activation that one nat per token costs, row by row, in place of the goal's.
            behind: tokens after a block. The ``k`` of them that promise most there are proposed too, in turn
                with the others, so that there are ``2 k`` (fewer where there are not so many).
        """
        scored, answer = self._slopes("proposals", ids, fluency, k, behind)
        return Proposals(scored, answer["tokens"], answer["gains"])

    def next_tokens(self, ids: Ids, k: int) -> NextTokens:
        """The model's own next-token probabilities after rows ``[batch, token]`` (which may have no tokens).

        It costs forward tokens and scores nothing. What is asked about next may continue these rows: give
        them as ``base``.
        """
        if not ids.shape[1] and not self.problem.frame.before:
            raise ValueError("nothing precedes the first token")
        trunk = self._make_trunk(ids, True) if ids.shape[1] else None
        question = question_of("next", ids, k)
        if (known := self._known(question, True)) is not None:
            answer = known[0]
        else:
            self.meter.affordable(1, max(1, ids.numel()))
            answer = self._live_next(ids, trunk, k)
            self._record(question, answer, False)
        return NextTokens(answer["tokens"], answer["log_probs"], answer["nats"])

    def _live_ids(
        self, ids: Ids, deep: bool, trunk: Trunk | None, of: Tensor | None, everywhere: bool
    ) -> tuple[dict[str, Tensor], bool]:
        """As many rows as the budget reaches, and more where sharing made these cheaper than feared."""
        width = ids.shape[1] + self._engine.n_after
        most = len(ids) if self.meter.budget.seconds is None else self._engine.chunk(width, deep)
        if trunk is not None:
            try:
                self.meter.demand(self._engine.cost(trunk) + width)
                self._engine.fill(trunk)
            except BudgetSpent:
                trunk = None
        parts: list[dict[str, Tensor]] = []
        done = 0
        while done < len(ids):
            try:
                rows = min(most, self.meter.affordable(len(ids) - done, width))
            except BudgetSpent:
                if not parts:
                    raise
                break
            at = slice(done, done + rows)
            seen = self._engine.see(ids[at], deep, trunk, None if of is None else of[at])
            part = {"activation": _plain(self._activation(seen))}
            if everywhere:
                part["values"] = _plain(torch.where(seen.readable, seen.values, torch.nan))
            if seen.nats is not None:
                part["nats"] = _plain(self._engine.mean_nats(seen.nats))
            parts.append(part)
            self.meter.spend(scored=rows)
            done += rows
        answer = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return answer, done < len(ids)

    def _slopes(
        self,
        kind: str,
        ids: Ids,
        fluency: Scores | None,
        k: int | None = None,
        behind: Behind | None = None,
        site: Site | None = None,
    ) -> tuple[Scored, dict[str, Tensor]]:
        self._check(ids)
        deep = fluency is not None or self.goal.wants_nats
        where = behind.ids if behind is not None else None if site is None else site.name
        question = question_of(kind, ids, fluency, k, where)
        if (known := self._known(question, deep)) is not None:
            answer, cut = known
        else:
            rows = self.meter.affordable(len(ids), ids.shape[1] + self._engine.n_after, backward=True)
            size = self._engine.chunk(ids.shape[1] + self._engine.n_after, deep) // 2
            size = max(1, size if k is None else min(size, _PROPOSED))
            parts = [
                self._slope(ids[at], deep, None if fluency is None else fluency[at], k, behind, site)
                for at in torch.arange(rows).split(size)
            ]
            self.meter.spend(scored=rows)
            answer = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
            cut = rows < len(ids)
            self._record(question, answer, cut)
        scored = self._scored(answer)
        self._keep(ids, scored)
        if cut:
            raise BudgetSpent
        return scored, answer

    def _slope(
        self,
        ids: Ids,
        deep: bool,
        fluency: Scores | None,
        k: int | None,
        behind: Behind | None,
        site: Site | None,
    ) -> dict[str, Tensor]:
        matrix = self.model.embedding
        graph = self._engine.gradient(
            matrix[ids.to(matrix.device)], ids, deep, site if behind is None else behind.site
        )
        seen = graph.seen
        activation = self._activation(seen, differentiable=True)
        answer = {"activation": _plain(self._activation(seen))}
        total, price = self.goal.sign * activation, torch.zeros(len(ids), dtype=activation.dtype)
        if seen.nats is not None:
            nats = self._engine.mean_nats(seen.nats)
            answer["nats"] = _plain(nats)
            above = self._above(nats)
            price = torch.full_like(nats, self.goal.fluency) if fluency is None else fluency.to(nats)
            price = torch.where(above, 1.0, price)
            total = torch.where(above, 0.0, total.double()) - price * nats
        leaves = [graph.leaf] if graph.added is None else [graph.leaf, graph.added]
        slopes = torch.autograd.grad(total.sum(), leaves)
        if k is not None:
            tokens, gains = promising(graph, slopes, ids, self.problem, price, k, behind)
            return {**answer, "tokens": tokens, "gains": gains}
        names = ("slope", "behind")[: len(slopes)]
        searched = [slope[:, : ids.shape[1]].float().cpu() for slope in slopes]
        return answer | dict(zip(names, searched, strict=True))

    @torch.no_grad()
    def _live_next(self, ids: Ids, trunk: Trunk | None, k: int) -> dict[str, Tensor]:
        if trunk is None:
            logits = self._engine.first_logits(True)
            nats = torch.zeros(1)
        else:
            self._engine.fill(trunk)
            assert trunk.logits is not None  # noqa: S101 - it is deep
            assert trunk.seen is not None  # noqa: S101
            assert trunk.seen.nats is not None  # noqa: S101
            logits, nats = trunk.logits[:, -1], trunk.seen.nats.sum(dim=1)
        assert logits is not None  # noqa: S101 - there is a prefix
        logps = logits.float().log_softmax(dim=-1)
        allowed = self.problem.allowed.mask.to(logps.device)
        top = logps.masked_fill(~allowed, -torch.inf).topk(min(k, int(allowed.sum())), dim=1)
        return {"tokens": top.indices.cpu(), "log_probs": top.values.cpu(), "nats": nats.float().cpu()}

    def _activation(self, seen: Seen, *, differentiable: bool = False) -> Scores:
        readable = seen.readable
        if differentiable:  # what may not be read still has a slope that leads away from it
            if self.goal.positions in ("mean", "max"):
                readable = readable | ~readable.any(dim=1, keepdim=True)
            else:
                readable = torch.ones_like(readable)
        return self.goal.reduce(seen.values, readable)

    def _above(self, nats: Scores) -> Bool[Tensor, " batch"]:
        if self.goal.max_nats is None:
            return torch.zeros_like(nats, dtype=torch.bool)
        return nats > self.goal.max_nats

    def _scored(self, answer: Mapping[str, Tensor]) -> Scored:
        activation, nats = answer["activation"], answer.get("nats")
        return Scored(self.goal.score(activation, nats), activation, nats, answer.get("values"))

    def _keep(self, ids: Ids, scored: Scored) -> None:
        n = len(scored.scores)
        self.archive.offer(
            ids[:n], scored.scores, scored.activation, scored.nats, self.meter.cost.sequences_scored - n
        )

    def _check(self, ids: Ids) -> None:
        if ids.shape[1] < 1 or ids.shape[1] > self.problem.length:
            raise ValueError(f"{ids.shape[1]} tokens where 1 to {self.problem.length} are searched")
        if not bool(self.problem.allowed.mask[ids].all()):
            raise ValueError("a method proposed a token that is not allowed")

    @property
    def _replaying(self) -> bool:
        return self._journal is not None and self._journal.replaying

    def _known(self, question: str, deep: bool) -> tuple[dict[str, Tensor], bool] | None:
        self._engine.count_root(deep, paid=self._replaying)
        found = None if self._journal is None else self._journal.next(question)
        if found is None:
            return None
        answer, cost, cut = found
        self.meter.resume(cost)
        return dict(answer), cut

    def _record(self, question: str, answer: dict[str, Tensor], cut: bool) -> None:
        if self._journal is not None:
            self._journal.add(question, answer, self.meter.cost, cut=cut)

    def _shared(
        self, ids: Ids, base: Parents | None, of: Tensor | None, deep: bool
    ) -> tuple[Trunk | None, Tensor | None]:
        """The trunk to continue, where that saves work."""
        if base is None or not base.shape[1]:
            return None, None
        of = torch.zeros(len(ids), dtype=torch.long) if of is None else of
        if deep and 4 * base.numel() * self.model.vocab_size > _TRUNK_BYTES:
            return None, None
        saved = int(common(ids, base[of]).sum())
        last = self._trunk
        if last is not None and (last.deep or not deep) and torch.equal(last.rows, base):
            return last, of
        if saved <= base.numel():
            return None, None
        return self._make_trunk(base, deep), of

    def _make_trunk(self, rows: Ids, deep: bool) -> Trunk:
        last = self._trunk
        if last is not None and (last.deep or not deep) and torch.equal(last.rows, rows):
            return last
        parent, of = None, None
        if last is not None and last.deep == deep and last.rows.shape[1] < rows.shape[1]:
            numbers = {tuple(row): i for i, row in enumerate(last.rows.tolist())}
            found = [numbers.get(tuple(row)) for row in rows[:, : last.rows.shape[1]].tolist()]
            if None not in found:
                parent, of = last, torch.tensor(found)
        self._trunk = Trunk(rows, deep, parent, of, paid=self._replaying)
        return self._trunk


def _plain(values: Tensor) -> Tensor:
    return values.detach().double().cpu()
