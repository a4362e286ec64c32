"""The result of ``maximize``: everything that ``result.json`` holds, and the tensors beside it.

Its conclusion is what the numbers allow to say, by these rules. Activations are compared in the direction of
the search (for ``--minimize`` smaller is better). With ``n`` restarts, ``m`` and ``s`` are the mean and the
standard deviation over random token sequences.

For vectors (soft methods), what their nearest tokens give:

1. no restart gave finite numbers: nothing was found.
2. the best vectors do not pass the best random sequence: not even free vectors move the unit.
3. the mean over restarts is at most ``m + 2 s / √n``: no more than random tokens; the tokens explain nothing.
4. no restart passes the best random sequence: more than chance, but random search does as well.
5. the best restart passes it, but goes less than half of the way from ``m`` to what the vectors reach: the
   tokens explain a part.
6. the best restart goes at least half of that way: the tokens explain most of it.

For tokens the best text is quoted with its activation. Where a corpus maximum is known, what tokens give is
also said as a share of it, and what vectors reach as a multiple.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from torch import Tensor

from actmax.errors import ActmaxError
from actmax.legible import LONGEST, visible
from actmax.numbers import count, number, percent
from actmax.results.frames import Framed, columns_of, columns_of_steps, no_table
from actmax.results.manifest import Manifest
from actmax.results.run import (
    Best,
    Candidate,
    CorpusMaximum,
    Cost,
    Isolation,
    RandomTokens,
    Run,
    Trajectory,
)
from actmax.results.saving import RESULT, Saved
from actmax.results.shown import Beside, Count, Keywords

SCHEMA = "actmax.maximize/1"

START, OPTIMUM = "start", "optimum"
"""Names of tensors: the vectors of every restart before and after the search, ``[restart, pos, d_model]``."""
COSINE = "cosine"
"""Cosine of the best restart's vectors to every token, ``[pos, vocab]``, float16."""
SITE_BEFORE, SITE_AFTER = "site_before", "site_after"
"""The site's values in the best restart, reduced over positions as the objective does, ``[width]``."""
EMBEDDING_SAMPLE = "embedding_sample"
"""Values drawn from the model's embedding matrix, ``[n]``."""


@dataclass(frozen=True)
class MaximizeResult(Saved, Framed):
    """What a search for the input of one unit found."""

    schema: ClassVar[str] = SCHEMA
    tensor_file: ClassVar[str | None] = "tensors.safetensors"

    unit: str
    site: str
    index: Count | None
    """None where the unit is a direction."""
    model: str
    method: str
    seed: int
    positions: Annotated[str, Keywords(pattern=r"^(mean|last|max|each|[0-9]+)$")]
    """How activations are reduced over positions: ``mean``, ``last``, ``max``, the number of one position
    (after the prefix), or ``each``: one search a position."""
    settings: Mapping[str, Any]
    """The method's hyperparameters."""
    objective: str
    """In words, with its weights."""
    runs: tuple[Run, ...]
    best: Best
    cost: Cost
    manifest: Annotated[Manifest, Beside()]
    complete: bool = True
    """False where the search was interrupted."""
    minimize: bool = False
    neighbors: tuple[Count, ...] = ()
    """The indices whose mean is ``neighbor_activation``."""
    random_tokens: RandomTokens | None = None
    isolation: Isolation | None = None
    corpus_maximum: CorpusMaximum | None = None
    frontier: tuple[Candidate, ...] = ()
    """No other candidate is both more active and more likely; empty for soft methods."""
    solutions: tuple[Candidate, ...] = ()
    """Where a method gives several distinct solutions, best first."""
    tensors: Annotated[Mapping[str, Tensor], Beside()] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    """Name to tensor; the names are this module's constants."""
    conclusion: tuple[str, ...] = field(init=False, default=())
    """What the numbers allow to say: one sentence, by the rules of this module."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "conclusion", (_concluded(self),))

    @property
    def best_run(self) -> Run:
        """The restart that ``best`` names."""
        return next(run for run in self.runs if run.restart == self.best.restart)

    @property
    def is_soft(self) -> bool:
        """Whether vectors were optimised, whose nearest tokens then differ from the optimum."""
        return any(run.cosine for run in self.runs)

    def columns(self, what: str | None = None) -> dict[str, list[Any]]:
        """One row per restart (``"runs"``), or one per restart and step (``"trajectories"``).

        Raises:
            ActmaxError: there is no such table.
        """
        if what in (None, "runs"):
            return columns_of(self.runs, Run)
        if what == "trajectories":
            return columns_of_steps([(run.restart, run.trajectory) for run in self.runs], Trajectory)
        raise no_table(what, "runs", "trajectories")

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Manifest) -> MaximizeResult:
        made = super()._from_json(data, manifest)
        if all(run.restart != made.best.restart for run in made.runs):
            raise ActmaxError(f"{RESULT} names a best restart that it does not hold; make it again.")
        return made


def _concluded(result: MaximizeResult) -> str:
    """The sentence (plain text; tokens made visible)."""
    best = result.best.activation
    if not math.isfinite(best):
        return "No restart gave a finite activation: nothing was found."
    return _of_vectors(result, best) if result.is_soft else _of_tokens(result, best)


def _of_vectors(result: MaximizeResult, best: float) -> str:
    sign = -1.0 if result.minimize else 1.0
    decoded = [run.activation_of_ids for run in result.runs if math.isfinite(run.activation_of_ids)]
    start = f"{_search(result)} reached {number(best)}{_beside_text(result, best)}"
    if not decoded:
        return f"{start}; the model gave no finite activation on the nearest real tokens."
    mean, top = sum(decoded) / len(decoded), sign * max(sign * value for value in decoded)
    real = "the nearest real tokens give " + (
        number(mean)
        if len(decoded) == 1
        else f"{number(mean)} on average over {count(len(decoded))} restarts"
    )
    random = result.random_tokens
    if random is None:
        return f"{start}; {real}."
    chance = random.best(minimize=result.minimize)
    versus = f"random tokens (mean {number(random.mean)}, best of {count(random.n)}: {number(chance)})"
    if sign * best <= sign * chance:
        return f"{start}, no more than {versus}: not even free vectors move this unit."
    if sign * mean <= sign * random.mean + 2 * random.std / math.sqrt(len(decoded)):
        return f"{start}; {real}, no more than {versus}: these tokens do not explain the unit."
    if sign * top <= sign * chance:
        return f"{start}; {real}, more than {versus} on average, but none beats the best of them: " + (
            "these tokens explain little of the unit."
        )
    share = (top - random.mean) / (best - random.mean)
    much = "most" if share >= 0.5 else "a part"
    return (
        f"{start}; the best of the nearest real tokens give {number(top)}, more than {versus} and "
        f"{percent(share)} of the way to the vectors: these tokens explain {much} of it."
    )


def _beside_text(result: MaximizeResult, best: float) -> str:
    corpus = result.corpus_maximum
    if corpus is None or not corpus.value * best > 0:
        return ""
    return (
        f", {number(best / corpus.value)} times the {'smallest' if result.minimize else 'largest'} in "
        f"{count(corpus.n_tokens)} tokens of {corpus.corpus} ({number(corpus.value)})"
    )


def _of_tokens(result: MaximizeResult, best: float) -> str:
    text = visible(result.best.text[:LONGEST]) + ("…" if len(result.best.text) > LONGEST else "")
    start = f"The best text found, “{text}”, gives {number(best)}"
    corpus = result.corpus_maximum
    beside = ""
    if corpus is not None and corpus.value * best > 0:
        beside = (
            f", {percent(best / corpus.value)} of the best in {count(corpus.n_tokens)} tokens of "
            f"{corpus.corpus} ({number(corpus.value)})"
        )
    return f"{start}{beside}."


def _search(result: MaximizeResult) -> str:
    names = {"soft-ascent": "Gradient descent" if result.minimize else "Gradient ascent"}
    return f"{names.get(result.method, result.method)} on soft vectors"
