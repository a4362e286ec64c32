"""``actmax.reproduce``: do independent runs find the same thing?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from actmax.api.maximize import maximize
from actmax.api.methods import token_method
from actmax.api.provenance import manifest_of
from actmax.checks.others import other_units
from actmax.checks.reproduced import (
    numbers,
    pictures,
    repeats,
    sentence,
    soft_agreements,
    token_agreement,
    verdict,
)
from actmax.checks.soft_batch import Optima, SoftProtocol, soft_optima
from actmax.errors import ActmaxError
from actmax.inputs.streams import stream
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.units import Positions, activation
from actmax.results.rendering import use_renderer
from actmax.results.reproduce import SCHEMA, Repeat, ReproduceResult

use_renderer(SCHEMA, "actmax.report.reproduce")

UNRELATED = 2
"""Units of the same site that are optimised too, as many times."""
_STREAM = 2**30 + 17


def reproduce(
    model: Model,
    unit: str | Unit,
    *,
    runs: int = 10,
    method: str = "soft-ascent",
    positions: Positions | None = None,
    length: int = 5,
    steps: int = 500,
    lr: float = 0.001,
    l2: float = 0.01,
    budget: int | None = None,
    seed: int = 0,
    on_step: Callable[[int, int, str], None] | None = None,
) -> ReproduceResult:
    """Run a method several times from different starts and compare what the runs found.

    All runs of ``soft-ascent``, and those of two unrelated units of the same site for comparison, are one
    batch. A token method runs once per seed, and its control is random token sequences.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``.
        runs: how many, at least 2.
        method: ``soft-ascent``, or the name of a token method.
        positions: how the activation is reduced over positions: by default ``mean``, for token methods
            ``last``.
        length: positions that are optimised.
        steps: updates of soft ascent.
        lr: Adam's learning rate.
        l2: λ of the penalty λ·Σθ².
        budget: sequences that each run of a token method may score; None for the method's own.
        seed: everything random is drawn from it.
        on_step: told how far it is.

    Raises:
        ActmaxError: an unknown unit or method, or a setting out of range.
        KeyboardInterrupt: stopped before there was anything to keep.
    """
    if runs < 2:
        raise ActmaxError(f"{runs} runs cannot be compared; give --runs at least 2.")
    searched = token_method(method)
    if length < 1:
        raise ActmaxError(f"The length is {length}; give a whole number from 1.")
    target = unit if isinstance(unit, Unit) else resolve(model, unit)
    where: Positions = positions or ("mean" if searched is None else "last")
    activation(target, where)
    began = time.perf_counter()
    if searched is not None:
        return _of_tokens(model, target, runs, searched, where, length, budget, seed, on_step, began)
    protocol = SoftProtocol(length, steps, lr, l2, where)
    others = other_units(model, target, UNRELATED, seed)
    told = on_step or (lambda index, total, note: None)
    optima = soft_optima(
        model,
        [target] * runs + [other for other in others for _ in range(runs)],
        protocol,
        seed,
        lambda step: told(step.index, step.total, f"{runs} runs and {len(others)} unrelated units"),
    )
    return of_optima(model, target, others, optima, protocol, seed, began)


def of_optima(
    model: Model,
    unit: Unit,
    others: tuple[Unit, ...],
    optima: Optima,
    protocol: SoftProtocol,
    seed: int,
    began: float,
) -> ReproduceResult:
    """The result of runs of soft ascent that have been made already."""
    found, starts, unrelated = soft_agreements(optima, unit, others)
    kind = verdict(found, starts)
    made = repeats(model, optima, optima.rows(unit))
    compared = tuple(other.name for other in others if len(optima.rows(other)) > 1)
    return ReproduceResult(
        unit=unit.name,
        site=unit.site.name,
        index=unit.index,
        model=model.name,
        method="soft-ascent",
        seed=seed,
        positions=protocol.positions,
        settings=asdict(protocol) | {"steps_done": optima.steps},
        runs=made,
        verdict=kind,
        sentence=sentence(kind, found, starts),
        numbers=numbers(found, starts, unrelated, soft=True),
        pictures=pictures(found, starts, unrelated, [run.activation_final for run in made]),
        unrelated=compared,
        seconds=time.perf_counter() - began,
        manifest=manifest_of(model, seed=seed, bos="auto: none in front of free vectors"),
        complete=optima.complete,
    )


def _of_tokens(
    model: Model,
    unit: Unit,
    runs: int,
    method: str,
    positions: Positions,
    length: int,
    budget: int | None,
    seed: int,
    on_step: Callable[[int, int, str], None] | None,
    began: float,
) -> ReproduceResult:
    settings: dict[str, Any] = {"length": length} | ({} if budget is None else {"budget": budget})
    made: list[Repeat] = []
    try:
        for k in range(runs):
            if on_step is not None:
                on_step(k, runs, f"run {k + 1} of {runs}")
            result = maximize(model, unit, method=method, positions=positions, seed=seed + k, **settings)
            best = result.best_run
            made.append(
                Repeat(
                    k,
                    best.activation_initial,
                    best.activation_final,
                    best.ids,
                    best.tokens,
                    best.text,
                    best.activation_of_ids,
                )
            )
            manifest = result.manifest  # of the last run; they differ in the seed
    except KeyboardInterrupt:
        if len(made) < 2:
            raise
    short = min(len(run.ids) for run in made)
    ids = torch.tensor([run.ids[:short] for run in made])
    found = token_agreement(model, ids, torch.tensor([run.activation_final for run in made]))
    drawn = torch.randint(len(model.tokenizer), ids.shape, generator=stream(seed, _STREAM))
    starts = token_agreement(model, drawn, torch.full((len(made),), torch.nan))
    kind = verdict(found, starts)
    return ReproduceResult(
        unit=unit.name,
        site=unit.site.name,
        index=unit.index,
        model=model.name,
        method=method,
        seed=seed,
        positions=positions,
        settings=settings,
        runs=tuple(made),
        verdict=kind,
        sentence=sentence(kind, found, starts),
        numbers=numbers(found, starts, [], soft=False),
        pictures=pictures(found, starts, [], [run.activation_final for run in made]),
        unrelated=(),
        seconds=time.perf_counter() - began,
        manifest=manifest,
        complete=len(made) == runs,
    )
