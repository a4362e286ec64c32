"""From the end of a run over soft inputs to its result: re-scoring, decoding, controls.

1. Re-score every optimum alone, in the model's precision.
2. Decode: the nearest tokens of every position, what the model gives on them and on their text, and the same
   unit on random tokens.
3. Isolation: where the unit stands among all indices of its site, before and after.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from actmax.api.provenance import manifest_of
from actmax.api.soft_settings import SoftSettings
from actmax.errors import ActmaxError
from actmax.inputs.soft import Vectors
from actmax.models.model import Model
from actmax.models.read import Prefix, read
from actmax.models.sites import Unit
from actmax.objectives.activation import Positions, site_profile
from actmax.objectives.objective import Objective
from actmax.results import maximize as stored
from actmax.results.maximize import MaximizeResult
from actmax.results.run import Best, CorpusMaximum, Cost, Isolation, NearToken, RandomTokens, Run, Trajectory
from actmax.search.nearest import Nearest, nearest_tokens, similarity_to_tokens
from actmax.search.rescore import Rescored, activation_of, random_token_activations, rescore
from actmax.search.run import Outcome

N_RANDOM = 1000
"""Random token sequences that the decoded tokens are compared with."""
_SAMPLE = 20_000
_TOP = 5


@dataclass(frozen=True)
class Asked:
    """What was searched for; :func:`account` says what came of it."""

    model: Model
    unit: Unit
    settings: SoftSettings
    positions: Positions
    minimize: bool
    seed: int
    objective: Objective
    prefix: Prefix | None
    space: Vectors
    corpus: CorpusMaximum | None = None
    """What the optimum is measured against, where it is known."""

    def result(self, outcome: Outcome) -> MaximizeResult:
        """The whole result."""
        assert outcome.last is not None  # noqa: S101 - there was a step
        optimum = outcome.last.embeds
        initial, final = (self._alone(vectors) for vectors in (self.space.start, optimum))
        best = self._best(final)
        near = nearest_tokens(self.model, optimum, _TOP, self.settings.metric)
        rescored: list[Rescored | None] = [None] * len(final)
        random: RandomTokens | None = None
        complete = False
        with suppress(KeyboardInterrupt):
            for k in self._best_first(best, len(final)):
                rescored[k] = rescore(
                    self.model, self.unit, self.positions, near.ids[k, :, 0].tolist(), prefix=self.prefix
                )
            if outcome.complete:  # a user who has pressed Ctrl-C does not wait for the control
                random = self._random(optimum.shape[1])
            complete = outcome.complete
        pairs = list(zip(initial, final, rescored, strict=True))
        stopped = outcome.last.stopped
        runs = tuple(
            self._run(k, *pair, self._trajectory(outcome, k), near, stopped.get(k))
            for k, pair in enumerate(pairs)
        )
        profile = self._profiles(best, optimum)
        return MaximizeResult(
            unit=self.unit.name,
            site=self.unit.site.name,
            index=self.unit.index,
            model=self.model.name,
            method="soft-ascent",
            seed=self.seed,
            positions=self.positions,
            settings=self.settings.plain() | {"length": optimum.shape[1]},
            objective=str(self.objective),
            runs=runs,
            best=Best(best, final[best], runs[best].text),
            cost=Cost(**vars(outcome.cost)),
            manifest=manifest_of(
                self.model,
                seed=self.seed,
                bos=f"{self.settings.bos}: {'none' if self.prefix is None else 'in front of the vectors'}",
                corpus_sha256=None if self.corpus is None else self.corpus.sha256,
            ),
            complete=complete,
            minimize=self.minimize,
            neighbors=self.space.neighbors,
            random_tokens=random,
            isolation=self._isolation(profile),
            corpus_maximum=self.corpus,
            tensors=self._tensors(best, optimum, profile),
        )

    def _alone(self, vectors: Tensor) -> list[float]:
        """Each restart's activation, run by itself, so that it does not depend on the batch."""
        return [
            activation_of(self.model, self.unit, self.positions, embeds=row[None], prefix=self.prefix)
            for row in vectors
        ]

    def _best(self, final: list[float]) -> int:
        finite = [k for k, value in enumerate(final) if math.isfinite(value)]
        if not finite:
            raise ActmaxError(
                f"No restart gave finite values for {self.unit.name}; lower --lr, or load the model with "
                "--dtype float32."
            )
        sign = -1 if self.minimize else 1
        return max(finite, key=lambda k: sign * final[k])

    @staticmethod
    def _best_first(best: int, n: int) -> Iterable[int]:
        return [best, *(k for k in range(n) if k != best)]

    def _random(self, length: int) -> RandomTokens:
        values = random_token_activations(
            self.model, self.unit, self.positions, length, N_RANDOM, self.seed, prefix=self.prefix
        )
        spread = float(values.std())
        return RandomTokens(N_RANDOM, float(values.mean()), spread, float(values[-1]), tuple(values.tolist()))

    def _trajectory(self, outcome: Outcome, k: int) -> Trajectory:
        trace = outcome.trace
        assert trace is not None  # noqa: S101 - there was a step
        beside = trace.neighbors[:, k].mean(dim=1).tolist() if self.space.neighbors else ()
        return Trajectory(
            tuple(trace.step),
            tuple(trace.activation[:, k].tolist()),
            tuple(trace.gradient_norm[:, k].tolist()),
            tuple(beside),
        )

    def _run(
        self,
        k: int,
        initial: float,
        final: float,
        told: Rescored | None,
        trajectory: Trajectory,
        near: Nearest,
        stopped: str | None,
    ) -> Run:
        tokenizer = self.model.tokenizer
        ids = near.ids[k].tolist()
        top = tuple(
            tuple(
                NearToken(str(tokenizer.decode([i])), i, float(s)) for i, s in zip(row, similar, strict=True)
            )
            for row, similar in zip(ids, near.similarity[k].tolist(), strict=True)
        )
        nan = math.nan
        first = [row[0] for row in ids]
        return Run(
            restart=k,
            activation_initial=initial,
            activation_final=final,
            trajectory=trajectory,
            ids=tuple(first),
            tokens=tuple(row[0].token for row in top),
            text=str(tokenizer.decode(first)),
            cosine=tuple(near.similarity[k, :, 0].tolist()),
            activation_of_ids=nan if told is None else told.activation_of_ids,
            activation_of_text=nan
            if told is None or told.activation_of_text is None
            else told.activation_of_text,
            retokenizes=told is not None and told.retokenizes,
            cross_entropy=nan if told is None else told.cross_entropy,
            top_tokens=top,
            stopped=stopped,
        )

    @torch.no_grad()
    def _profiles(self, best: int, optimum: Tensor) -> Tensor:
        """The whole site before and after, ``[2, width]``."""
        both = torch.stack([self.space.start[best], optimum[best]])
        value = read(self.model, [self.unit.site], embeds=both, prefix=self.prefix)[self.unit.site]
        return site_profile(value, self.positions)

    def _isolation(self, profile: Tensor) -> Isolation | None:
        if self.unit.index is None:
            return None
        values = (-profile if self.minimize else profile).double()
        mine = values[:, self.unit.index]
        ranks = ((values > mine[:, None]).sum(dim=1) + 1).tolist()
        plain = profile.double()
        z = ((plain[:, self.unit.index] - plain.mean(dim=1)) / plain.std(dim=1)).tolist()
        return Isolation(ranks[0], ranks[1], z[0], z[1], profile.shape[1])

    def _tensors(self, best: int, optimum: Tensor, profile: Tensor) -> dict[str, Tensor]:
        matrix = self.model.embedding.flatten()
        similar = similarity_to_tokens(self.model, optimum[best])
        return {
            stored.START: self.space.start.float(),
            stored.OPTIMUM: optimum.float(),
            stored.COSINE: similar.half(),
            stored.SITE_BEFORE: profile[0],
            stored.SITE_AFTER: profile[1],
            stored.EMBEDDING_SAMPLE: matrix[:: max(1, matrix.numel() // _SAMPLE)].float(),
        }


def account(asked: Asked, outcome: Outcome) -> MaximizeResult:
    """The result of a run, with everything that it has to be compared with.

    Raises:
        ActmaxError: no restart gave finite values.
    """
    return asked.result(outcome)
