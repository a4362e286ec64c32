"""``actmax.compare``: several methods on one unit, asked the same question under the same budget.

1. Everything that can be wrong is looked for before the first method begins.
2. The corpus is read once, for all token methods.
3. Each method runs by itself, with a journal of its own where a folder is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from actmax.api.corpus_starts import CorpusStarts
from actmax.api.methods import TOKENS_LENGTH, method_of, refuse_foreign, without_foreign
from actmax.api.tokens import NothingFoundError, maximize_tokens
from actmax.api.tokens_problem import check_method, read_corpus, tokens_problem
from actmax.api.vectors import maximize_vectors, vectors_problem
from actmax.api.wanted import Target
from actmax.errors import ActmaxError
from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.results.compare import CompareResult, Failed
from actmax.results.maximize import MaximizeResult
from actmax.search.method import Method
from actmax.search.names import distinct_names
from actmax.search.settings import Progressed, SearchSettings
from actmax.settings import INTERNAL, Settings, keywords


@dataclass(frozen=True, kw_only=True)
class CompareSettings(SearchSettings):
    """The settings of ``compare``; ``resume`` is a folder in which each token method has one of its own."""

    on_step: Annotated[Callable[[str, Progressed], None] | None, INTERNAL] = None
    """Called with every step of every method, and with the method's name."""
    on_result: Annotated[Callable[[MaximizeResult], None] | None, INTERNAL] = None
    """Called with every result as soon as there is one."""


@keywords(CompareSettings)
def compare(
    model: Model, unit: Target, methods: Sequence[str | Settings], settings: CompareSettings
) -> CompareResult:
    """Ask several methods the same question, one after another.

    Args:
        model: from :func:`actmax.load`.
        unit: as for :func:`actmax.maximize`.
        methods: at least two, each once, as for :func:`actmax.maximize`; with token methods among them, free
            vectors are read at the last position too and have as many positions, unless these are given.
        settings: as keyword arguments, see below; each method takes those that it has.

    Raises:
        ActmaxError: fewer than two methods, one of them twice, or a setting that none has or that is out of
            range.
        NothingFoundError: no method found anything that may be given.
        KeyboardInterrupt: stopped before there was anything to save.
    """
    chosen = [method_of(one, settings) for one in methods]
    _check_names([method.name for method in chosen])
    refuse_foreign(chosen, settings)
    if any(method.space is TokenSpace for method in chosen):
        length = settings.length
        if length is None and settings.init_text is None:
            length = TOKENS_LENGTH
        settings = replace(settings, positions=settings.positions or "last", length=length)
    found: list[MaximizeResult] = []
    failed: list[Failed] = []
    try:
        for result in _results(model, unit, chosen, settings):
            if isinstance(result, Failed):
                failed.append(result)
                continue
            found.append(result)
            if settings.on_result is not None:
                settings.on_result(result)
            if not result.complete:
                break
    except KeyboardInterrupt:
        if not found:
            raise
    if not found:
        raise NothingFoundError(failed[0].why)
    complete = len(found) + len(failed) == len(chosen) and all(one.complete for one in found)
    return CompareResult.of(found, complete=complete, failed=failed)


def _results(
    model: Model, unit: Target, methods: list[Method], settings: CompareSettings
) -> Iterator[MaximizeResult | Failed]:
    """The result of each method in turn; the first one comes after everything has been checked."""
    known = _checked(model, unit, methods, settings)
    for method in methods:
        own = without_foreign(method, settings)
        if settings.resume is not None and method.space is TokenSpace:
            own = replace(own, resume=settings.resume / method.name)
        show = _named(method.name, settings.on_step)
        if method.space is not TokenSpace:
            yield maximize_vectors(model, unit, method, own, show)
            continue
        try:
            yield maximize_tokens(model, unit, method, own, show, known)
        except NothingFoundError as error:
            yield Failed(method.name, str(error))


def _checked(
    model: Model, unit: Target, methods: list[Method], settings: CompareSettings
) -> CorpusStarts | None:
    """Every mistake is found here; what the corpus gives to all token methods."""
    known: CorpusStarts | None = None
    for method in methods:
        own = without_foreign(method, settings)
        if method.space is not TokenSpace:
            vectors_problem(model, unit, own)
        else:
            check_method(method.name, own)
    if tokens := [method for method in methods if method.space is TokenSpace]:
        own = without_foreign(tokens[0], settings)
        known = read_corpus(tokens_problem(model, unit, own), own)
    return known


def _check_names(names: Sequence[str]) -> None:
    distinct_names(names)
    if len(names) < 2:
        raise ActmaxError("One method cannot be compared; name at least two.")


def _named(
    name: str, on_step: Callable[[str, Progressed], None] | None
) -> Callable[[Progressed], None] | None:
    return None if on_step is None else lambda at: on_step(name, at)
