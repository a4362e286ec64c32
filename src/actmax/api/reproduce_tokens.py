"""Runs of a token method, for ``reproduce``: one seed each, all from one reading of the corpus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from actmax.api.corpus_starts import corpus_starts
from actmax.api.text import maximize_text
from actmax.api.text_settings import TextSettings
from actmax.checks.reproduced import token_agreement
from actmax.checks.reproducibility import Agreement
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.objectives.activation import Positions
from actmax.results.manifest import Manifest
from actmax.results.reproduce import RepeatedRun
from actmax.search.method import Step
from actmax.search.scorer import Scorer

Told = Callable[[int, int, str], None]


@dataclass(frozen=True)
class TokenRuns:
    """The runs of one unit."""

    made: tuple[RepeatedRun, ...]
    complete: bool
    """False where the user stopped them; the run that was stopped is not among them."""
    manifest: Manifest | None
    """Of the last run; they differ in the seed."""

    def agreement(self, model: Model) -> Agreement:
        """How far they agree."""
        ids = torch.tensor([run.ids for run in self.made])
        return token_agreement(model, ids, torch.tensor([run.activation_final for run in self.made]))


@dataclass(frozen=True)
class TokenSearch:
    """How each run searches."""

    method: str
    settings: TextSettings
    positions: Positions
    runs: int
    seed: int

    def of(self, model: Model, unit: Unit, told: Told) -> TokenRuns:
        """Run it; Ctrl-C ends it after the runs that are done."""
        made: list[RepeatedRun] = []
        manifest: Manifest | None = None
        try:
            told(0, self.runs * self.settings.budget, f"{unit.name}: reading the corpus")
            known = corpus_starts(
                model,
                unit,
                length=self.settings.length,
                n=self.settings.starts,
                bos=self.settings.bos,
                corpus=self.settings.corpus,
            )
            for k in range(self.runs):
                told(k * self.settings.budget, self.runs * self.settings.budget, self._note(unit, k))
                result = maximize_text(
                    model,
                    unit,
                    self.method,
                    settings=self.settings,
                    positions=self.positions,
                    seed=self.seed + k,
                    known=known,
                    on_step=self._telling(unit, k, told),
                )
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

    def _telling(self, unit: Unit, k: int, told: Told) -> Callable[[int, Step, Scorer], None]:
        budget, note = self.settings.budget, self._note(unit, k)

        def tell(restart: int, step: Step, scorer: Scorer) -> None:
            done = k * budget + scorer.cost.sequences_scored
            told(min(done, self.runs * budget), self.runs * budget, note)

        return tell

    def _note(self, unit: Unit, k: int) -> str:
        return f"{unit.name}: run {k + 1} of {self.runs}"
