"""The one door from a search to the model: it scores, counts, remembers the best, writes the journal.

Every call gives the answer to all rows that it was asked about, or ends the search: where the budget does not
reach, the rows that it reaches are scored and remembered, and ``BudgetSpent`` is raised. Ids are on the CPU,
and so are the answers; scores are in float64. Nothing is remembered between calls but keys and values, so
asking again costs again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from actmax.inputs.soft import VectorSpace
from actmax.inputs.tokens import TokenSpace
from actmax.models.sites import Site
from actmax.objectives.activation import site_profile
from actmax.objectives.objective import sum_of
from actmax.search.after_block import AfterBlock
from actmax.search.answers import NextTokens, Proposals, Scored, Slope
from actmax.search.archive import Archive
from actmax.search.engine import Engine
from actmax.search.first_order import promising
from actmax.search.journal import Journal, question_of
from actmax.search.meter import BudgetSpent, Meter, Spent
from actmax.search.problem import Problem
from actmax.search.trunk import Seen, Trunk, common
from actmax.shapes import Embeds, Ids, Scores

Parents: TypeAlias = Int[Tensor, "parent shared"]
Answer: TypeAlias = dict[str, Tensor]
"""What is written to the journal for one call."""

_TRUNK_BYTES = 1 << 29
"""Logits of a trunk; more is not held."""
_PROPOSED = 16  # rows whose gains over the whole vocabulary are held at once


class Scorer:
    """Scores the inputs of one problem within one budget."""

    def __init__(
        self,
        problem: Problem,
        budget: int | None = None,
        *,
        journal: Journal | None = None,
        archive: Archive | None = None,
    ) -> None:
        """A scorer that has spent nothing.

        Args:
            problem: what is scored.
            budget: sequences that may be scored; None is no limit.
            journal: where answers are read from and written to.
            archive: what was found before (in other restarts).
        """
        self.problem = problem
        self.meter = Meter(budget)
        self.archive = archive or Archive(problem)
        self.model = problem.model
        self._journal = journal
        self._engine = Engine(problem, self.meter)
        self._trunk: Trunk | None = None

    @property
    def cost(self) -> Spent:
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
            ids: ``[batch, token]`` searched tokens, all allowed, no more than the space has.
            nats: also give the cross-entropy (the model then runs to the logits: several times the work).
            base: ``[parent, token]`` rows that these are like; what a row shares with its parent from the
                beginning on is run once. Rows and parents may differ in length.
            of: which parent each row is like; may be left out where there is one.
            everywhere: also give the value of the reported term at every position.

        Raises:
            BudgetSpent: not all rows could be scored; those that could have been remembered.
        """
        self._check(ids)
        deep = nats or self.problem.wants_nats
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
        return self._remembered(ids, answer, cut)

    def gradient(self, ids: Ids, *, price: Scores | None = None, stream: Site | None = None) -> Slope:
        """Score rows of tokens and differentiate each score by its own tokens' embeddings.

        Args:
            ids: ``[batch, token]``.
            price: what one nat per token costs, row by row, in place of the problem's price.
            stream: a residual stream that the unit reads from: differentiate by it too.
        """
        scored, answer = self._slopes("gradient", ids, price, site=stream)
        return Slope(scored, answer["slope"], answer.get("stream"))

    def vectors(self, embeds: Embeds) -> Slope:
        """Score vectors in the place of the searched tokens' embeddings, and differentiate by them.

        The cross-entropy plays no part: vectors have none. In a space of vectors the prefix is not counted.

        Args:
            embeds: ``[batch, pos, d_model]``; not changed. The slope has their precision and device.

        Raises:
            BudgetSpent: not all rows could be scored.
        """
        if isinstance(self.problem.space, TokenSpace):
            self._engine.count_root(False, paid=self._replaying)
        question = question_of("soft", embeds) if self._journal is not None else ""
        if (known := self._recorded(question)) is not None:
            answer, cut = known
        else:
            rows = self.meter.affordable(len(embeds))
            answer = self._live_vectors(embeds[:rows])
            cut = rows < len(embeds)
            self._record(question, answer, cut)
        if cut:
            raise BudgetSpent
        return Slope(self._scored(answer), answer["slope"].to(embeds), neighbors=answer.get("neighbors"))

    def proposals(
        self, ids: Ids, k: int, *, price: Scores | None = None, block: AfterBlock | None = None
    ) -> Proposals:
        """The ``k`` allowed tokens with the largest one-hot gradient at every position of every row.

        With a price on the cross-entropy (the problem's, or row by row here) its gradient is part of it,
        through the embeddings and through the token as a target.

        Args:
            ids: ``[batch, token]``.
            k: tokens wanted.
            price: what one nat per token costs, row by row, in place of the problem's price.
            block: tokens after a block. The ``k`` of them that promise most there are proposed too, in turn
                with the first kind, so that there are ``2 k`` (fewer where there are not that many).
        """
        scored, answer = self._slopes("proposals", ids, price, k, block)
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
            self.meter.affordable(1)
            answer = self._live_next(trunk, k)
            self._record(question, answer, False)
        return NextTokens(answer["tokens"], answer["log_probs"], answer["nats"])

    def _live_ids(
        self, ids: Ids, deep: bool, trunk: Trunk | None, of: Tensor | None, everywhere: bool
    ) -> tuple[Answer, bool]:
        """As many rows as the budget reaches."""
        if trunk is not None:
            self._engine.fill(trunk)
        rows = self.meter.affordable(len(ids))
        seen = self._engine.see(ids[:rows], deep, trunk, None if of is None else of[:rows])
        answer = self._reduced(seen)
        if everywhere:
            mask = seen.readable[0]
            values = seen.values[0]
            answer["values"] = _plain(values if mask is None else torch.where(mask, values, torch.nan))
        if seen.nats is not None:
            answer["nats"] = _plain(self._engine.mean_nats(seen.nats))
        self.meter.spend(scored=rows)
        return answer, rows < len(ids)

    def _live_vectors(self, embeds: Embeds) -> Answer:
        graph = self._engine.gradient(embeds, None, deep=False)
        (slope,) = torch.autograd.grad(self._total(graph.seen).sum(), graph.leaf)
        self.meter.spend(scored=len(embeds))
        answer = {**self._reduced(graph.seen), "slope": slope}
        space = self.problem.space
        if isinstance(space, VectorSpace) and space.neighbors:
            reported = self.problem.reported
            value = graph.acts[reported.unit.site].detach()[..., list(space.neighbors)]
            answer["neighbors"] = site_profile(value, reported.positions)
        return answer

    def _slopes(
        self,
        kind: str,
        ids: Ids,
        price: Scores | None,
        k: int | None = None,
        block: AfterBlock | None = None,
        site: Site | None = None,
    ) -> tuple[Scored, Answer]:
        self._check(ids)
        deep = price is not None or self.problem.wants_nats
        where = block.ids if block is not None else None if site is None else site.name
        question = question_of(kind, ids, price, k, where)
        if (known := self._known(question, deep)) is not None:
            answer, cut = known
        else:
            rows = self.meter.affordable(len(ids))
            size = self._engine.chunk(ids.shape[1] + self._engine.n_after, deep) // 2
            size = max(1, size if k is None else min(size, _PROPOSED))
            parts = [
                self._slope(ids[at], deep, None if price is None else price[at], k, block, site)
                for at in torch.arange(rows).split(size)
            ]
            self.meter.spend(scored=rows)
            answer = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
            cut = rows < len(ids)
            self._record(question, answer, cut)
        return self._remembered(ids, answer, cut), answer

    def _slope(
        self,
        ids: Ids,
        deep: bool,
        price: Scores | None,
        k: int | None,
        block: AfterBlock | None,
        site: Site | None,
    ) -> Answer:
        matrix = self.model.embedding
        stream = site if block is None else block.site
        graph = self._engine.gradient(matrix[ids.to(matrix.device)], ids, deep, stream)
        answer = self._reduced(graph.seen)
        total = self._total(graph.seen)
        prices = torch.zeros(len(ids), dtype=total.dtype)
        if graph.seen.nats is not None:
            nats = self._engine.mean_nats(graph.seen.nats)
            answer["nats"] = _plain(nats)
            above = self._above(nats)
            prices = torch.full_like(nats, self.problem.price) if price is None else price.to(nats)
            prices = torch.where(above, 1.0, prices)
            total = torch.where(above, 0.0, total.double()) - prices * nats
        leaves = [graph.leaf] if graph.added is None else [graph.leaf, graph.added]
        slopes = torch.autograd.grad(total.sum(), leaves)
        if k is not None:
            tokens, gains = promising(graph, slopes, ids, self.problem, prices, k, block)
            return {**answer, "tokens": tokens, "gains": gains}
        names = ("slope", "stream")[: len(slopes)]
        searched = [slope[:, : ids.shape[1]].float().cpu() for slope in slopes]
        return answer | dict(zip(names, searched, strict=True))

    @torch.no_grad()
    def _live_next(self, trunk: Trunk | None, k: int) -> Answer:
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
        allowed = self.problem.tokens.allowed.mask.to(logps.device)
        top = logps.masked_fill(~allowed, -torch.inf).topk(min(k, int(allowed.sum())), dim=1)
        return {"tokens": top.indices.cpu(), "log_probs": top.values.cpu(), "nats": nats.float().cpu()}

    def _reduced(self, seen: Seen) -> Answer:
        """The reported term, and the weighted sum of the terms beside it, per row."""
        reduced = [
            (weight, _plain(term.reduce(values.detach(), readable)))
            for (weight, term), values, readable in zip(
                self.problem.terms, seen.values, seen.readable, strict=True
            )
        ]
        answer = {"activation": reduced[0][1]}
        if len(reduced) > 1:
            answer["further"] = sum_of([weight * value for weight, value in reduced[1:]])
        return answer

    def _total(self, seen: Seen) -> Float[Tensor, " batch"]:
        """The objective without the cross-entropy, with a graph.

        What may not be read still has a slope that leads away from it.
        """
        parts = zip(self.problem.terms, seen.values, seen.readable, strict=True)
        return sum_of([w * term.reduce(value, mask, anyway=True) for (w, term), value, mask in parts])

    def _above(self, nats: Scores) -> Bool[Tensor, " batch"]:
        limit = self.problem.limit
        return torch.zeros_like(nats, dtype=torch.bool) if limit is None else nats > limit

    def _scored(self, answer: Mapping[str, Tensor]) -> Scored:
        activation, nats = answer["activation"], answer.get("nats")
        gain = self.problem.gain(activation, answer.get("further"))
        return Scored(self.problem.score(gain, nats), activation, gain, nats, answer.get("values"))

    def _remembered(self, ids: Ids, answer: Answer, cut: bool) -> Scored:
        scored = self._scored(answer)
        n = len(scored.scores)
        before = self.meter.cost.sequences_scored - n
        self.archive.offer(ids[:n], scored.scores, scored.activation, scored.nats, before)
        if cut:
            raise BudgetSpent
        return scored

    def _check(self, ids: Ids) -> None:
        space = self.problem.tokens
        if ids.shape[1] < 1 or ids.shape[1] > space.length:
            raise ValueError(f"{ids.shape[1]} tokens where 1 to {space.length} are searched")
        if not bool(space.allowed.mask[ids].all()):
            raise ValueError("a method proposed a token that is not allowed")

    @property
    def _replaying(self) -> bool:
        return self._journal is not None and self._journal.replaying

    def _known(self, question: str, deep: bool) -> tuple[Answer, bool] | None:
        self._engine.count_root(deep, paid=self._replaying)
        return self._recorded(question)

    def _recorded(self, question: str) -> tuple[Answer, bool] | None:
        found = None if self._journal is None else self._journal.next(question)
        if found is None:
            return None
        answer, cost, cut = found
        self.meter.resume(cost)
        return dict(answer), cut

    def _record(self, question: str, answer: Answer, cut: bool) -> None:
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
