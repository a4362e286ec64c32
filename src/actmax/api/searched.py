"""The best text of a token search that begins from a reading of the corpus that there is already."""

from __future__ import annotations

from dataclasses import dataclass

from actmax.api.corpus_starts import starts_of
from actmax.api.methods import TOKENS_LENGTH, method_of, token_method
from actmax.api.tokens import maximize_tokens
from actmax.checks.sample import UnitSample
from actmax.checks.texts import SourcedText
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy
from actmax.progress import Progress, silent
from actmax.search.settings import Progressed, SearchSettings


@dataclass(frozen=True)
class Searched:
    """What a search found."""

    text: SourcedText
    complete: bool
    """False where the user stopped it."""


def named_method(method: str | None) -> str | None:
    """The own name of a method that searches tokens; None where there is to be no search.

    Raises:
        ActmaxError: there is no such method, or it does not search tokens.
    """
    if method is None or method == "none":
        return None
    name = token_method(method)
    if name is None:
        raise ActmaxError(f"{method!r} does not search tokens; choose a method that does, or none.")
    return name


def search_text(
    sample: UnitSample, method: str, *, seed: int, bos: BosPolicy = "auto", progress: Progress = silent
) -> Searched:
    """Search a text for the unit of a sample, with the settings that ``maximize`` has.

    Args:
        sample: of the corpus.
        method: as :func:`named_method` gives it.
        seed: of all draws.
        bos: what stands in front of the text.
        progress: called with the number of sequences scored.

    Raises:
        ActmaxError: there is no such method, or nothing that it scored may be given.
        KeyboardInterrupt: stopped before anything was found.
    """
    settings = SearchSettings(bos=bos, seed=seed)

    def show(at: Progressed) -> None:
        progress("searching text", at.index, settings.budget)

    known = starts_of(sample.readings, length=TOKENS_LENGTH, n=settings.starts)
    chosen = method_of(method, settings)
    result = maximize_tokens(sample.model, sample.unit, chosen, settings, show, known)
    return Searched(SourcedText(method, result.best.text), result.complete)
