"""Rows of token ids through the model: what is shared goes through once.

1. The frame's prefix (BOS, text) is run once, to the depth that is needed, and continued from its keys and
   values.
2. Rows that differ from a *trunk* (rows that were run with all keys and values held) only from some position
   on are continued there. Rows are put together in groups by that position; each group is one batch.
3. A trunk whose rows continue those of another trunk is continued from it in turn. Trunks are filled when
   they are first needed, so a search that is answered from a journal runs none, and one that goes on after it
   runs exactly what an uninterrupted search has run.

The model runs as deep as the objective, or to the logits where the cross-entropy is wanted ("deep").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from actmax.models.read import Prefix, read_prefix
from actmax.models.read import read as read
from actmax.models.sites import LOGITS, Site
from actmax.objectives.objective import PerPosition, Readable, Reading
from actmax.search.meter import Meter
from actmax.search.problem import Problem
from actmax.search.trunk import Keeping, Seen, Trunk, common, continued, gathered, joined
from actmax.shapes import Acts, Embeds, Ids, Scores

_LOGITS = Site(LOGITS)
_GROUP = 16
"""Rows below which a group of equal beginnings joins the next."""
_TOKENS = 4096
"""Positions of a batch."""
_LOGIT_BYTES = 1 << 27


@dataclass(frozen=True)
class Graph:
    """Rows run with a graph."""

    leaf: Float[Tensor, "batch token d_model"]
    """The embeddings, which ask for a gradient."""
    seen: Seen
    logps: Float[Tensor, "batch token vocab"] | None
    """Log-probabilities of every token at the searched tokens' own places, given what precedes them; when run
    deep."""
    added: Float[Tensor, "batch pos d_model"] | None = None
    """Zeros that were added to the residual stream after a block, and that ask for a gradient."""
    stream: Float[Tensor, "batch pos d_model"] | None = None
    """That residual stream."""
    acts: Mapping[Site, Acts] = field(default_factory=dict)
    """All that was read."""


class Engine:
    """Runs rows for one problem, and counts the tokens that it runs."""

    def __init__(self, problem: Problem, meter: Meter) -> None:
        self.problem, self.meter = problem, meter
        self.model = problem.model
        self._needs = frozenset().union(*(term.needs for _, term in problem.terms))
        self._roots: dict[bool, Prefix] = {}
        self._counted: set[bool] = set()
        self._after = torch.tensor(problem.frame.after, dtype=torch.long)

    @property
    def n_after(self) -> int:
        """Tokens of the suffix."""
        return len(self._after)

    def root(self, deep: bool) -> Prefix:
        """The frame's prefix, run once per depth."""
        if deep not in self._roots:
            before = torch.tensor([self.problem.frame.before], dtype=torch.long, device=self.model.device)
            sites = self._sites(deep)
            if before.shape[1]:
                self._roots[deep] = read_prefix(self.model, sites, before)
            else:
                self._roots[deep] = Prefix(before, sites, (), {})
        return self._roots[deep]

    def count_root(self, deep: bool, *, paid: bool) -> None:
        """Count the frame's prefix once per depth (not again where a resumed search has it counted)."""
        if deep not in self._counted:
            if not paid:
                self.meter.spend(forward=len(self.problem.frame.before))
            self._counted.add(deep)

    def first_logits(self, deep: bool) -> Float[Tensor, "one vocab"] | None:
        """What the model expects after the frame's prefix; None where there is no prefix."""
        acts = self.root(deep).acts.get(_LOGITS)
        return None if acts is None or not deep else acts[:, -1]

    def chunk(self, width: int, deep: bool) -> int:
        """Rows of ``width`` positions that go through at once."""
        most = _TOKENS
        if deep:
            most = min(most, _LOGIT_BYTES // (4 * self.model.vocab_size))
        return max(1, most // max(1, width))

    def see(self, rows: Ids, deep: bool, trunk: Trunk | None = None, of: Tensor | None = None) -> Seen:
        """Run rows ``[batch, token]`` without a graph, from ``trunk[of]`` where that is given."""
        if trunk is None or of is None or not len(rows):
            starts = torch.zeros(len(rows), dtype=torch.long)
        else:
            self.fill(trunk)
            starts = common(rows, trunk.rows[of])
        pieces: list[tuple[Tensor, Seen]] = []
        for at in self._groups(starts, rows.shape[1], deep):
            start = int(starts[at].min())
            pieces.append(
                (
                    at,
                    self._run(
                        rows[at], start, deep, trunk if start else None, None if of is None else of[at]
                    ),
                )
            )
        return gathered(pieces, len(rows))

    @torch.no_grad()
    def fill(self, trunk: Trunk) -> None:
        """Run a trunk, and what it continues, if that has not been done."""
        if trunk.filled:
            return
        parent = trunk.parent
        start = 0
        if parent is not None:
            self.fill(parent)
            start = parent.rows.shape[1]
        parts: list[tuple[Prefix, Seen, Tensor | None]] = []
        size = self.chunk(trunk.rows.shape[1] - start, trunk.deep)
        for at in torch.arange(len(trunk.rows)).split(size):
            of = None if trunk.of is None else trunk.of[at]
            parts.append(self._extend(trunk.rows[at], start, trunk.deep, parent, of))
        trunk.prefix = joined([part[0] for part in parts])
        trunk.seen = gathered(
            [(i, part[1]) for i, part in zip(torch.arange(len(trunk.rows)).split(size), parts, strict=True)],
            len(trunk.rows),
        )
        if trunk.deep:
            trunk.logits = torch.cat([part[2] for part in parts if part[2] is not None])
        if not trunk.paid:
            self.meter.spend(forward=len(trunk.rows) * (trunk.rows.shape[1] - start))
        trunk.filled, trunk.parent, trunk.of = True, None, None

    def gradient(self, embeds: Embeds, ids: Ids | None, deep: bool, stream: Site | None = None) -> Graph:
        """Run embeddings of the searched positions with a graph.

        Args:
            embeds: ``[batch, pos, d_model]``.
            ids: the tokens that they are of, if any.
            deep: run to the logits.
            stream: a residual stream to look at, too.
        """
        leaf = embeds.detach().to(self.model.device).requires_grad_()
        given = leaf
        if self.n_after:
            tail = self.model.embedding[self._after.to(self.model.device)].expand(len(leaf), -1, -1)
            given = torch.cat([leaf, tail], dim=1)
        root = self.root(deep)
        added = None if stream is None else torch.zeros_like(given, requires_grad=True)
        looked: list[Acts] = []

        def look(value: Acts) -> Acts:
            looked.append(value.detach())
            return value if added is None else value + added

        edits = {} if stream is None else {stream: look}
        prefix = root if root.ids.shape[1] else None
        acts = read(self.model, self._sites(deep), embeds=given, prefix=prefix, edits=edits)
        values, readable = self._terms(acts, root.ids.shape[1])
        self.meter.spend(forward=values[0].numel(), backward=values[0].numel())
        logps = self._log_probs(acts[_LOGITS], leaf.shape[1]) if deep else None
        nats = None
        if logps is not None and ids is not None:
            nats = -logps.gather(2, ids.to(logps.device)[..., None])[..., 0]
        return Graph(leaf, Seen(values, readable, nats), logps, added, looked[0] if looked else None, acts)

    def _terms(
        self, acts: Mapping[Site, Acts], past: int
    ) -> tuple[tuple[PerPosition, ...], tuple[Readable | None, ...]]:
        """The terms' values, at least in float32, and where they may be read, after ``past`` positions."""
        reading = Reading(acts, past=past)
        terms = [term for _, term in self.problem.terms]
        values = tuple(_wide(term.values(reading)) for term in terms)
        return values, tuple(term.readable(reading) for term in terms)

    def _log_probs(self, logits: Acts, n: int) -> Float[Tensor, "batch token vocab"]:
        """Log-probabilities at the ``n`` searched tokens' own places; 0 where nothing precedes the first."""
        first = self.first_logits(True)
        head = torch.zeros_like(logits[:, :1]) if first is None else first[:, None].expand(len(logits), 1, -1)
        logps = _wide(torch.cat([head, logits[:, : n - 1]], dim=1)).log_softmax(dim=-1)
        if first is None:
            logps = torch.cat([torch.zeros_like(logps[:, :1]), logps[:, 1:]], dim=1)
        return logps

    def mean_nats(self, nats: Float[Tensor, "batch token"]) -> Scores:
        """Nats per token over those tokens that something precedes."""
        predicted = nats.shape[1] - (0 if self.problem.frame.before else 1)
        return nats.double().sum(dim=1) / max(predicted, 1)

    def _sites(self, deep: bool) -> frozenset[Site]:
        return self._needs | ({_LOGITS} if deep else frozenset())

    def _groups(self, starts: Int[Tensor, " batch"], length: int, deep: bool) -> list[Tensor]:
        """Row numbers that go through together: of about equal start, and not too many."""
        order = starts.argsort(descending=True, stable=True)
        groups: list[list[int]] = [[]]
        for row in order.tolist():
            last = groups[-1]
            if len(last) >= _GROUP and int(starts[row]) < int(starts[last[-1]]):
                groups.append([])
            groups[-1].append(row)
        found: list[Tensor] = []
        for group in groups:
            if group:
                at = torch.tensor(group).sort().values
                width = length - int(starts[at].min()) + self.n_after
                found += at.split(self.chunk(width, deep))
        return found

    @torch.no_grad()
    def _run(self, rows: Ids, start: int, deep: bool, trunk: Trunk | None, of: Tensor | None) -> Seen:
        tail = self._after.expand(len(rows), -1)
        seen, _ = self._read(
            torch.cat([rows[:, start:], tail], dim=1), rows.shape[1] - start, start, deep, trunk, of
        )
        return seen

    def _extend(
        self, rows: Ids, start: int, deep: bool, parent: Trunk | None, of: Tensor | None
    ) -> tuple[Prefix, Seen, Tensor | None]:
        """Run rows from ``start`` on and keep keys, values and logits (no suffix)."""
        keeping = self._beginning(start, deep, parent, of, len(rows))
        seen, logits = self._read(
            rows[:, start:], rows.shape[1] - start, start, deep, parent, of, keeping, count=False
        )
        layers: list[Any] = keeping.made[-1].layers
        pairs = tuple(
            (layer.keys, layer.values) for layer in layers if getattr(layer, "keys", None) is not None
        )
        past = keeping.ids.shape[1] + rows.shape[1] - start
        ids = torch.zeros(1, past, dtype=torch.long)
        if deep and start and parent is not None and parent.logits is not None and of is not None:
            assert logits is not None  # noqa: S101 - deep
            logits = torch.cat([parent.logits[of][:, :start], logits], dim=1)
        return Prefix(ids, keeping.sites, pairs, {}), seen, logits

    def _beginning(
        self, start: int, deep: bool, trunk: Trunk | None, of: Tensor | None, batch: int
    ) -> Keeping:
        if trunk is None or trunk.prefix is None or of is None or start == 0:
            root = self.root(deep)
            return Keeping(root.ids, root.sites, root.keys_values, root.acts)
        past = len(self.problem.frame.before) + start
        pairs = tuple((k[of][:, :, :past], v[of][:, :, :past]) for k, v in trunk.prefix.keys_values)
        return Keeping(torch.zeros(1, past, dtype=torch.long), trunk.prefix.sites, pairs, {})

    def _read(
        self,
        ids: Ids,
        tokens: int,
        start: int,
        deep: bool,
        trunk: Trunk | None,
        of: Tensor | None,
        keeping: Prefix | None = None,
        count: bool = True,
    ) -> tuple[Seen, Tensor | None]:
        """Run ``ids`` (``tokens`` searched ones, perhaps the suffix) after ``start`` tokens of a trunk."""
        device = self.model.device
        keeping = keeping or self._beginning(start, deep, trunk, of, len(ids))
        acts = read(self.model, self._sites(deep), ids=ids.to(device), prefix=keeping)
        values, readable = self._terms(acts, len(self.problem.frame.before) + start)
        if count:
            self.meter.spend(forward=ids.numel())
        logits = acts.get(_LOGITS)
        nats = None
        shared = trunk if start else None
        if deep and logits is not None:
            first: Tensor | None = self.first_logits(deep)
            if shared is not None and shared.logits is not None and of is not None:
                first = shared.logits[of, start - 1]
            nats = _nats(logits, ids[:, :tokens].to(device), first)
        seen = Seen(values, readable, nats)
        if shared is not None and shared.seen is not None and of is not None:
            seen = continued(shared.seen, of, start, seen)
        return seen, logits


def _wide(values: Tensor) -> Tensor:
    """At least float32."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _nats(
    logits: Acts, ids: Int[Tensor, "batch token"], first: Float[Tensor, "_ width"] | None
) -> Float[Tensor, "batch token"]:
    """``-log p`` of each token, from the logits at the tokens' own places and those before the first."""
    batch, n = ids.shape
    flat = _wide(logits[:, : n - 1].flatten(0, 1))  # (a transposed view is many times slower)
    later = functional.cross_entropy(flat, ids[:, 1:].reshape(-1), reduction="none").reshape(batch, n - 1)
    if first is None:
        return torch.cat(
            [torch.zeros_like(later[:, :1]) if n > 1 else _wide(logits[:, :1, 0]) * 0, later], dim=1
        )
    start = functional.cross_entropy(_wide(first).expand(batch, -1), ids[:, 0], reduction="none")
    return torch.cat([start[:, None], later], dim=1)
