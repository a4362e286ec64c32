"""``actmax.compare``: several methods on one unit, asked the same question under the same budget.

1. Everything that can be wrong is looked for before the first method begins.
2. The corpus is read once, for all token methods.
3. Each method runs by itself, with a journal of its own where a folder is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from actmax.api.corpus_starts import CorpusStarts
from actmax.api.maximize import Progressed, maximize, reading_of, reduction_of, settings_of
from actmax.api.methods import token_method
from actmax.api.soft_settings import SoftSettings
from actmax.api.text import NothingFoundError
from actmax.api.text_problem import check_method, read_corpus, text_problem
from actmax.api.text_settings import TextSettings
from actmax.errors import ActmaxError, nearest
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.positions import Places
from actmax.progress import Progress, silent
from actmax.results.compare import CompareResult, Failed
from actmax.results.maximize import MaximizeResult
from actmax.search.names import distinct_names


def compare(
    model: Model,
    unit: str | Unit,
    methods: Sequence[str],
    *,
    positions: Places | None = None,
    minimize: bool = False,
    seed: int = 0,
    also: Sequence[tuple[float, str]] = (),
    resume: Path | None = None,
    on_step: Callable[[str, Progressed], None] | None = None,
    on_result: Callable[[MaximizeResult], None] | None = None,
    progress: Progress = silent,
    hyperparameters: Mapping[str, Mapping[str, object]] | None = None,
    **settings: Any,
) -> CompareResult:
    """Ask several methods the same question, one after another.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``.
        methods: at least two, each once; with token methods among them, free vectors are read at the last
            position too and have as many positions, unless told otherwise.
        positions: as for :func:`actmax.maximize`.
        minimize: seek the lowest activation.
        seed: of every method.
        also: further units with weights.
        resume: a folder in which each token method keeps its journal, in a folder with its name: begun
            there, or continued.
        on_step: told of every step of every method, with the method's name.
        on_result: told of every result as soon as there is one.
        progress: told of reading the corpus.
        hyperparameters: of single methods, by name.
        settings: as for :func:`actmax.maximize`; each method takes those that it has.

    Raises:
        ActmaxError: fewer than two methods, one of them twice, or a setting that none has or that is out of
            range.
        NothingFoundError: no method found anything that may be given.
        KeyboardInterrupt: stopped before there was anything to keep.
    """
    parts = shared_settings(distinct(methods), settings)
    target = resolve(model, unit) if isinstance(unit, str) else unit
    made = {name: settings_of(name, part) for name, part in parts.items()}
    texts = {name: one for name, one in made.items() if isinstance(one, TextSettings)}
    where = reading_of(positions) if texts else positions
    if len(texts) < len(made):
        reduction_of(where)
    for name, one in texts.items():
        check_method(name, one)
    known: CorpusStarts | None = None
    if texts:
        shared = next(iter(texts.values()))
        problem = text_problem(
            model,
            target,
            shared,
            positions="last" if where is None or where == "each" else where,
            minimize=minimize,
            also=tuple(also),
        )
        known = read_corpus(problem, shared, progress)
    found: list[MaximizeResult] = []
    failed: list[Failed] = []
    try:
        for name, part in parts.items():
            text = name in texts
            more = {**part, "resume": resume / name} if text and resume is not None else part
            if hyperparameters and hyperparameters.get(name):
                more = {**more, "options": hyperparameters[name]}
            try:
                result = maximize(
                    model,
                    target,
                    method=name,
                    positions=where,
                    minimize=minimize,
                    seed=seed,
                    also=also,
                    known=known if text else None,
                    on_step=None if on_step is None else _named(name, on_step),
                    progress=progress,
                    **more,
                )
            except NothingFoundError as error:
                failed.append(Failed(name, str(error)))
                continue
            found.append(result)
            if on_result is not None:
                on_result(result)
            if not result.complete:
                break
    except KeyboardInterrupt:
        if not found:
            raise
    if not found:
        raise NothingFoundError(failed[0].why)
    complete = len(found) + len(failed) == len(parts) and all(one.complete for one in found)
    return CompareResult.of(found, complete=complete, failed=failed)


def distinct(methods: Sequence[str]) -> list[str]:
    """The methods' own names.

    Raises:
        ActmaxError: there is no such method, one is named twice, or there are fewer than two.
    """
    names = distinct_names(methods)
    if len(names) < 2:
        raise ActmaxError("One method cannot be compared; name at least two.")
    return names


def shared_settings(names: Sequence[str], settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each method's part of the settings; the soft method searches as many positions as the others.

    Raises:
        ActmaxError: a setting that none of the methods has.
    """
    kinds = {name: SoftSettings if token_method(name) is None else TextSettings for name in names}
    own = {name: {field.name for field in fields(kind)} for name, kind in kinds.items()}
    every = sorted(set().union(*own.values()))
    for setting in settings:
        if setting not in every:
            raise ActmaxError(
                f"None of the methods has a setting {setting!r}; the nearest are {nearest(setting, every)}."
            )
    parts = {name: {key: value for key, value in settings.items() if key in own[name]} for name in names}
    if TextSettings in kinds.values():
        for name, kind in kinds.items():
            if kind is SoftSettings and "init_text" not in settings:
                parts[name].setdefault("length", TextSettings().length)
    return parts


def _named(name: str, on_step: Callable[[str, Progressed], None]) -> Callable[[Progressed], None]:
    return lambda at: on_step(name, at)
