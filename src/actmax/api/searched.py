"""The best text of a token search that begins from a reading of the corpus that there is already."""

from __future__ import annotations

from dataclasses import dataclass

from actmax.api.corpus_starts import starts_of
from actmax.api.methods import token_method
from actmax.api.text import maximize_text
from actmax.api.text_settings import TextSettings
from actmax.checks.sample import UnitSample
from actmax.checks.texts import SourcedText
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy
from actmax.progress import Progress, silent
from actmax.search.method import Step
from actmax.search.scorer import Scorer


@dataclass(frozen=True)
class Searched:
    """What a search found."""

    text: SourcedText
    complete: bool
    """False where the user stopped it."""


def named_method(method: str) -> str:
    """The own name of a method that searches tokens.

    Raises:
        ActmaxError: there is no such method.
    """
    name = token_method(method)
    if name is None:
        raise ActmaxError(
            f"{method!r} does not search tokens; leave --method out, or name a method that does."
        )
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
        progress: told of the sequences scored.

    Raises:
        ActmaxError: a method that there is not, or nothing that it scored may be given.
        KeyboardInterrupt: stopped before anything was found.
    """
    settings = TextSettings(bos=bos)

    def tell(restart: int, step: Step, scorer: Scorer) -> None:
        progress("searching text", scorer.cost.sequences_scored, settings.budget)

    known = starts_of(sample.readings, length=settings.length, n=settings.starts)
    result = maximize_text(
        sample.model, sample.unit, method, settings=settings, seed=seed, known=known, on_step=tell
    )
    return Searched(SourcedText(method, result.best.text), result.complete)
