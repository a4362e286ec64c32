"""``actmax.reproduce``: do independent runs find the same thing?"""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import torch

from actmax.api.methods import method_of, recorded, token_method
from actmax.api.provenance import manifest_of
from actmax.api.reproduce_tokens import TokenSearch
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
from actmax.checks.settings import ReproduceSettings
from actmax.checks.soft_batch import Optima, SoftProtocol, soft_optima
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import Positions, activation
from actmax.progress import Progress
from actmax.results.reproduce import ReproduceResult
from actmax.search.settings import SearchSettings
from actmax.settings import keywords

UNRELATED = 2
"""Units of the same site that are optimised too, as many times; a token method has one."""
_STREAM = 2**30 + 17


@keywords(ReproduceSettings)
def reproduce(model: Model, unit: str | Unit, settings: ReproduceSettings) -> ReproduceResult:
    """Run a method several times from different starts and compare what the runs found.

    All runs of ``soft-ascent``, and those of two unrelated units of the same site for comparison, are one
    batch. A token method runs once per seed, for the unit and for one unrelated unit; it is compared with
    random tokens too.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``.
        settings: as keyword arguments.

    Raises:
        ActmaxError: an unknown unit or method, or a setting out of range.
        KeyboardInterrupt: stopped before there was anything to keep.
    """
    searched = token_method(settings.method)
    target = unit if isinstance(unit, Unit) else resolve(model, unit)
    where: Positions = settings.positions or ("mean" if searched is None else "last")
    activation(target, where)
    began, seed, runs = time.perf_counter(), settings.seed, settings.runs
    if searched is not None:
        chosen = SearchSettings(length=settings.length, corpus=settings.corpus)
        chosen = chosen if settings.budget is None else replace(chosen, budget=settings.budget)
        search = TokenSearch(searched, chosen, where, runs, seed)
        unrelated = 1 if settings.unrelated is None else settings.unrelated
        return _of_tokens(model, target, search, unrelated, settings.progress, began)
    protocol = SoftProtocol(settings.length, settings.steps, settings.lr, settings.l2, where)
    n = UNRELATED if settings.unrelated is None else settings.unrelated
    others = other_units(model, target, n, seed)
    note = f"{runs} runs and {len(others)} unrelated units"
    optima = soft_optima(
        model,
        [target] * runs + [other for other in others for _ in range(runs)],
        protocol,
        seed,
        lambda step: settings.progress("searching", step.index, step.total, note=note),
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
    model: Model, unit: Unit, search: TokenSearch, unrelated: int, progress: Progress, began: float
) -> ReproduceResult:
    mine = search.of(model, unit, progress)
    if len(mine.made) < 2 or mine.manifest is None:
        raise KeyboardInterrupt
    complete, names, compared = mine.complete, [], []
    for other in other_units(model, unit, unrelated, search.seed) if complete else ():
        theirs = search.of(model, other, progress)
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
