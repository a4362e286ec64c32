"""Runs of a token method, for ``reproduce``: one seed each, all from one reading of the corpus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from actmax.api.corpus_starts import corpus_starts
from actmax.api.methods import TOKENS_LENGTH, method_of
from actmax.api.tokens import maximize_tokens
from actmax.checks.reproduced import token_agreement
from actmax.checks.reproducibility import Agreement
from actmax.corpus.corpus import DEFAULT_CORPUS
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.objectives.activation import Positions
from actmax.progress import Progress
from actmax.results.manifest import Manifest
from actmax.results.reproduce import RepeatedRun
from actmax.search.settings import Progressed, SearchSettings


@dataclass(frozen=True)
class TokenRuns:
    """The runs of one unit."""

    made: tuple[RepeatedRun, ...]
    complete: bool
    """False where the user stopped them; the run that was stopped is not among them."""
    manifest: Manifest | None
    """Of the last run; they differ in the seed."""

    def agreement(self, model: Model) -> Agreement:
        """The agreement of the runs."""
        ids = torch.tensor([run.ids for run in self.made])
        return token_agreement(model, ids, torch.tensor([run.activation_final for run in self.made]))


@dataclass(frozen=True)
class TokenSearch:
    """How each run searches."""

    method: str
    settings: SearchSettings
    positions: Positions
    runs: int
    seed: int

    def of(self, model: Model, unit: Unit, progress: Progress) -> TokenRuns:
        """Run it; Ctrl-C ends it after the runs that are done."""
        made: list[RepeatedRun] = []
        manifest: Manifest | None = None
        total = self.runs * self.settings.budget
        try:
            progress("searching", 0, total, note=f"{unit.name}: reading the corpus")
            known = corpus_starts(
                model,
                unit,
                length=self.settings.length or TOKENS_LENGTH,
                n=self.settings.starts,
                bos=self.settings.bos,
                corpus=self.settings.corpus or DEFAULT_CORPUS,
            )
            for k in range(self.runs):
                progress("searching", k * self.settings.budget, total, note=self._note(unit, k))
                settings = replace(self.settings, positions=self.positions, seed=self.seed + k)
                method = method_of(self.method, settings)
                show = self._telling(unit, k, progress)
                result = maximize_tokens(model, unit, method, settings, show, known)
                if not result.complete:
                    return TokenRuns(tuple(made), False, manifest)
                best, manifest = result.best_run, result.manifest
                made.append(
                    RepeatedRun(
                        k,
                        best.activation_initial,
                        best.activation_final,
                        best.ids,
                        best.tokens,
                        best.text,
                        best.activation_of_ids,
                    )
                )
        except KeyboardInterrupt:
            return TokenRuns(tuple(made), False, manifest)
        return TokenRuns(tuple(made), True, manifest)

    def _telling(self, unit: Unit, k: int, progress: Progress) -> Callable[[Progressed], None]:
        budget, note = self.settings.budget, self._note(unit, k)

        def tell(at: Progressed) -> None:
            done = k * budget + at.index
            progress("searching", min(done, self.runs * budget), self.runs * budget, note=note)

        return tell

    def _note(self, unit: Unit, k: int) -> str:
        return f"{unit.name}: run {k + 1} of {self.runs}"
