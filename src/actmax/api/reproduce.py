"""``actmax.reproduce``: do independent runs find the same thing?"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from actmax.api.methods import method_of, recorded, token_method
from actmax.api.provenance import manifest_of
from actmax.api.reproduce_tokens import TokenSearch, Told
from actmax.checks.controls import other_units, random_tokens
from actmax.checks.registry import shared_description
from actmax.checks.reproduced import (
    NOTHING_UNRELATED,
    as_many_runs,
    numbers,
    pictures,
    repeats,
    sentence,
    soft_agreements,
    token_agreement,
)
from actmax.checks.reproducibility import verdict
from actmax.checks.soft_batch import Optima, SoftProtocol, soft_optima
from actmax.corpus.corpus import DEFAULT_CORPUS
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import Positions, activation
from actmax.results.reproduce import ReproduceResult
from actmax.search.settings import SearchSettings

UNRELATED = 2
"""Units of the same site that are optimised too, as many times; a token method has one."""
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
    unrelated: int | None = None,
    corpus: str | os.PathLike[str] = DEFAULT_CORPUS,
    seed: int = 0,
    on_step: Callable[[int, int, str], None] | None = None,
) -> ReproduceResult:
    """Run a method several times from different starts and compare what the runs found.

    All runs of ``soft-ascent``, and those of two unrelated units of the same site for comparison, are one
    batch. A token method runs once per seed, for the unit and for one unrelated unit; it is compared with
    random tokens too.

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
        unrelated: units of the same site that are searched as often; None for two, one for token methods.
        corpus: name or path; where token methods begin.
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
    if unrelated is not None and unrelated < 0:
        raise ActmaxError(f"There are no {unrelated} units; give --unrelated 0 or more.")
    target = unit if isinstance(unit, Unit) else resolve(model, unit)
    where: Positions = positions or ("mean" if searched is None else "last")
    activation(target, where)
    began = time.perf_counter()
    told = on_step or (lambda index, total, note: None)
    if searched is not None:
        chosen = SearchSettings(length=length, corpus=os.fspath(corpus))
        chosen = chosen if budget is None else replace(chosen, budget=budget)
        search = TokenSearch(searched, chosen, where, runs, seed)
        return _of_tokens(model, target, search, 1 if unrelated is None else unrelated, told, began)
    protocol = SoftProtocol(length, steps, lr, l2, where)
    others = other_units(model, target, UNRELATED if unrelated is None else unrelated, seed)
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
        numbers=numbers(found, starts, unrelated, soft=True),
        pictures=pictures(found, starts, unrelated, [run.activation_final for run in made], soft=True),
        unrelated=unrelated.names,
        seconds=time.perf_counter() - began,
        manifest=manifest_of(model, seed=seed, bos="auto: none in front of free vectors"),
        complete=optima.complete,
        conclusion=(sentence(kind, found, starts, soft=True),),
        methods=(shared_description("reproducibility"),),
    )


def _of_tokens(
    model: Model, unit: Unit, search: TokenSearch, unrelated: int, told: Told, began: float
) -> ReproduceResult:
    mine = search.of(model, unit, told)
    if len(mine.made) < 2 or mine.manifest is None:
        raise KeyboardInterrupt
    complete, names, compared = mine.complete, [], []
    for other in other_units(model, unit, unrelated, search.seed) if complete else ():
        theirs = search.of(model, other, told)
        complete = complete and theirs.complete
        if not theirs.complete:
            break
        names.append(other.name)
        compared.append(theirs.agreement(model))
    others = as_many_runs(names, compared) if names else NOTHING_UNRELATED
    found = mine.agreement(model)
    drawn = random_tokens(model, found.runs, found.positions, search.seed, _STREAM)
    starts = token_agreement(model, drawn, torch.full((found.runs,), torch.nan))
    kind = verdict(found, starts)
    return ReproduceResult(
        unit=unit.name,
        site=unit.site.name,
        index=unit.index,
        model=model.name,
        method=search.method,
        seed=search.seed,
        positions=search.positions,
        settings=recorded(
            method_of(search.method, search.settings), search.settings, corpus=search.settings.corpus
        ),
        runs=mine.made,
        verdict=kind,
        numbers=numbers(found, starts, others, soft=False),
        pictures=pictures(found, starts, others, [run.activation_final for run in mine.made], soft=False),
        unrelated=others.names,
        seconds=time.perf_counter() - began,
        manifest=replace(mine.manifest, seed=search.seed),
        complete=complete,
        conclusion=(sentence(kind, found, starts, soft=False),),
        methods=(shared_description("reproducibility"),),
    )
