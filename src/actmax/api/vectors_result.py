"""From the end of a run over soft inputs to its result: re-scoring, decoding, controls.

1. Score every optimum again by itself, in the model's precision.
2. Decode: the nearest tokens of every position, what the model gives on them and on their text, and the same
   unit on random tokens.
3. Isolation: where the unit stands among all indices of its site, before and after.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from actmax.api.methods import recorded
from actmax.api.provenance import manifest_of
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.read import Prefix, read, read_prefix
from actmax.objectives.activation import Activation, site_profile
from actmax.results import maximize as stored
from actmax.results.manifest import Manifest
from actmax.results.maximize import MaximizeResult
from actmax.results.run import Best, CorpusMaximum, Cost, Isolation, NearToken, RandomTokens, Run, Trajectory
from actmax.search.method import Method
from actmax.search.nearest import Nearest, nearest_tokens, similarity_to_tokens
from actmax.search.problem import Problem
from actmax.search.rescore import Rescored, activation_of, random_token_activations, rescore
from actmax.search.run import Outcome
from actmax.search.settings import SearchSettings

N_RANDOM = 1000
"""Random token sequences that the decoded tokens are compared with."""
_SAMPLE = 20_000
_TOP = 5


@dataclass(frozen=True)
class Ascended:
    """What was searched for; :func:`result_of` says what came of it."""

    problem: Problem
    method: Method
    settings: SearchSettings
    reference: CorpusMaximum | None = None
    """What the optimum is measured against, where it is known."""

    @property
    def model(self) -> Model:
        """What was asked."""
        return self.problem.model

    @property
    def term(self) -> Activation:
        """What is reported."""
        return self.problem.reported

    @property
    def minimize(self) -> bool:
        """Whether the smallest activation was sought."""
        return self.problem.objective.sign < 0

    @cached_property
    def prefix(self) -> Prefix | None:
        """BOS in front of the vectors, already run."""
        before = self.problem.frame.before
        if not before:
            return None
        return read_prefix(self.model, self.term.needs, torch.tensor([before], device=self.model.device))

    def result(self, outcome: Outcome) -> MaximizeResult:
        """The whole result."""
        assert outcome.last is not None  # noqa: S101 - there was a step
        optimum, unit = outcome.last.embeds, self.term.unit
        start = self.problem.vectors.start
        initial, final = (self._each(vectors) for vectors in (start, optimum))
        best = self._best(final)
        near = nearest_tokens(self.model, optimum, _TOP, self.settings.metric)
        rescored: list[Rescored | None] = [None] * len(final)
        random: RandomTokens | None = None
        complete = False
        with suppress(KeyboardInterrupt):
            for k in self._best_first(best, len(final)):
                rescored[k] = rescore(self.model, self.term, near.ids[k, :, 0].tolist(), self.prefix)
            if outcome.complete:  # a user who has pressed Ctrl-C does not wait for the control
                random = self._random(optimum.shape[1])
            complete = outcome.complete
        runs = tuple(
            self._run(k, (initial[k], final[k]), rescored[k], outcome, near) for k in range(len(final))
        )
        profile = self._profiles(best, optimum)
        length, restarts = optimum.shape[1], len(optimum)
        return MaximizeResult(
            unit=unit.name,
            site=unit.site.name,
            index=unit.index,
            model=self.model.name,
            method=self.method.name,
            seed=self.settings.seed,
            positions=str(self.term.positions),
            settings=recorded(self.method, self.settings, length=length, restarts=restarts),
            objective=str(self.problem.objective),
            runs=runs,
            best=Best(best, final[best], runs[best].text),
            cost=Cost(**vars(outcome.cost)),
            manifest=self._manifest(),
            complete=complete,
            minimize=self.minimize,
            neighbors=self.problem.vectors.neighbors,
            random_tokens=random,
            isolation=self._isolation(profile),
            corpus_maximum=self.reference,
            tensors=self._tensors(best, optimum, profile),
        )

    def _manifest(self) -> Manifest:
        return manifest_of(
            self.model,
            seed=self.settings.seed,
            bos=f"{self.settings.bos}: {'none' if self.prefix is None else 'in front of the vectors'}",
            corpus_sha256=None if self.reference is None else self.reference.sha256,
        )

    def _each(self, vectors: Tensor) -> list[float]:
        """Each restart's activation, run by itself, so that it does not depend on the batch."""
        model, term = self.model, self.term
        return [activation_of(model, term, embeds=row[None], prefix=self.prefix) for row in vectors]

    def _best(self, final: list[float]) -> int:
        finite = [k for k, value in enumerate(final) if math.isfinite(value)]
        if not finite:
            raise ActmaxError(
                f"No restart gave finite values for {self.term.unit}; lower --lr, or load the model with "
                "--dtype float32."
            )
        sign = -1 if self.minimize else 1
        return max(finite, key=lambda k: sign * final[k])

    @staticmethod
    def _best_first(best: int, n: int) -> Iterable[int]:
        return [best, *(k for k in range(n) if k != best)]

    def _random(self, length: int) -> RandomTokens:
        values = random_token_activations(
            self.model, self.term, length, N_RANDOM, self.settings.seed, prefix=self.prefix
        )
        spread = float(values.std())
        return RandomTokens(N_RANDOM, float(values.mean()), spread, float(values[-1]), tuple(values.tolist()))

    def _trajectory(self, outcome: Outcome, k: int) -> Trajectory:
        trace = outcome.trace
        assert trace is not None  # noqa: S101 - there was a step
        beside = trace.neighbors[:, k].mean(dim=1).tolist() if self.problem.vectors.neighbors else ()
        return Trajectory(
            tuple(trace.step),
            tuple(trace.activation[:, k].tolist()),
            tuple(trace.gradient_norm[:, k].tolist()),
            tuple(beside),
        )

    def _run(
        self,
        k: int,
        reached: tuple[float, float],
        truth: Rescored | None,
        outcome: Outcome,
        near: Nearest,
    ) -> Run:
        assert outcome.last is not None  # noqa: S101 - there was a step
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
        gain = reached[1] - reached[0]
        return Run(
            restart=k,
            activation_initial=reached[0],
            activation_final=reached[1],
            trajectory=self._trajectory(outcome, k),
            ids=tuple(first),
            tokens=tuple(row[0].token for row in top),
            text=str(tokenizer.decode(first)),
            cosine=tuple(near.similarity[k, :, 0].tolist()),
            activation_of_ids=nan if truth is None else truth.activation_of_ids,
            kept=None if truth is None or not gain else (truth.activation_of_ids - reached[0]) / gain,
            activation_of_text=nan if truth is None else truth.activation_of_text,
            retokenizes=truth is not None and truth.retokenizes,
            cross_entropy=nan if truth is None else truth.cross_entropy,
            top_tokens=top,
            stopped=outcome.last.stopped.get(k),
        )

    @torch.no_grad()
    def _profiles(self, best: int, optimum: Tensor) -> Tensor:
        """The whole site before and after, ``[2, width]``."""
        both = torch.stack([self.problem.vectors.start[best], optimum[best]])
        site = self.term.unit.site
        value = read(self.model, [site], embeds=both, prefix=self.prefix)[site]
        return site_profile(value, self.term.positions)

    def _isolation(self, profile: Tensor) -> Isolation | None:
        index = self.term.unit.index
        if index is None:
            return None
        values = (-profile if self.minimize else profile).double()
        mine = values[:, index]
        ranks = ((values > mine[:, None]).sum(dim=1) + 1).tolist()
        plain = profile.double()
        z = ((plain[:, index] - plain.mean(dim=1)) / plain.std(dim=1)).tolist()
        return Isolation(ranks[0], ranks[1], z[0], z[1], profile.shape[1])

    def _tensors(self, best: int, optimum: Tensor, profile: Tensor) -> dict[str, Tensor]:
        matrix = self.model.embedding.flatten()
        similar = similarity_to_tokens(self.model, optimum[best])
        return {
            stored.START: self.problem.vectors.start.float(),
            stored.OPTIMUM: optimum.float(),
            stored.COSINE: similar.half(),
            stored.SITE_BEFORE: profile[0],
            stored.SITE_AFTER: profile[1],
            stored.EMBEDDING_SAMPLE: matrix[:: max(1, matrix.numel() // _SAMPLE)].float(),
        }


def result_of(ascended: Ascended, outcome: Outcome) -> MaximizeResult:
    """The result of a run, with everything that it has to be compared with.

    Raises:
        ActmaxError: no restart gave finite values.
    """
    return ascended.result(outcome)
