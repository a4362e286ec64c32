"""The result of several methods on one unit: theirs, beside one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from actmax.errors import ActmaxError
from actmax.results.frames import Framed
from actmax.results.manifest import Manifest
from actmax.results.maximize import MaximizeResult
from actmax.results.plain import from_plain, to_plain
from actmax.results.run import CorpusMaximum
from actmax.results.saving import RESULT, Saved

SCHEMA = "actmax.compare/1"


@dataclass(frozen=True)
class Failed:
    """A method that found nothing."""

    method: str
    why: str
    """A sentence."""


@dataclass(frozen=True)
class CompareResult(Saved, Framed):
    """What each method found for the same question."""

    schema: ClassVar[str] = SCHEMA

    results: tuple[MaximizeResult, ...]
    """One a method, in the order in which they were asked for."""
    manifest: Manifest
    complete: bool = True
    """False where the comparison was interrupted; methods may then be missing."""
    failed: tuple[Failed, ...] = ()
    """Methods that found nothing that may be given."""

    def __post_init__(self) -> None:
        if not self.results:
            raise ValueError("there is no result to compare")
        names = {(one.unit, one.model, one.minimize) for one in self.results}
        if len(names) > 1:
            raise ValueError("the results are of different questions")

    @classmethod
    def of(
        cls, results: Sequence[MaximizeResult], *, complete: bool = True, failed: Sequence[Failed] = ()
    ) -> CompareResult:
        """A comparison of results for one unit of one model.

        The manifest is that of the last method that searched tokens (of the last one where none did).

        Raises:
            ActmaxError: they are of different units or models, or some maximise and some minimise.
        """
        chosen = [one for one in results if not one.is_soft] or list(results)
        try:
            manifest = chosen[-1].manifest
            plain = tuple(replace(one, manifest=manifest) for one in results)
            return cls(plain, manifest, complete, tuple(failed))
        except (ValueError, IndexError) as error:
            raise ActmaxError(
                "Only results for the same unit of the same model in the same direction can be compared; "
                "give at least one, all of one question."
            ) from error

    @property
    def best(self) -> MaximizeResult:
        """The method whose tokens give the best activation."""
        sign = -1.0 if self.results[0].minimize else 1.0
        return max(self.results, key=lambda one: _or_worst(sign * reached(one)))

    @property
    def corpus_maximum(self) -> CorpusMaximum | None:
        """The best in real text, where a method has measured it."""
        found = [one.corpus_maximum for one in self.results if one.corpus_maximum is not None]
        return found[0] if found else None

    def ratio(self, activation: float) -> float:
        """An activation as a multiple of the corpus maximum; NaN where that is unknown or of another sign."""
        corpus = self.corpus_maximum
        if corpus is None or not corpus.value * (-1 if self.results[0].minimize else 1) > 0:
            return math.nan
        return activation / corpus.value

    def to_json(self) -> dict[str, Any]:
        """What ``result.json`` holds."""
        first, best = self.results[0], self.best
        head = {
            "schema": SCHEMA,
            "unit": first.unit,
            "site": first.site,
            "index": first.index,
            "model": first.model,
            "seed": first.seed,
            "positions": first.positions,
            "minimize": first.minimize,
            "complete": self.complete,
            "failed": self.failed,
            "corpus_maximum": self.corpus_maximum,
            "best": {"method": best.method, "activation": reached(best), "text": best.best.text},
        }
        plain: dict[str, Any] = to_plain(head)
        return {**plain, "results": [one.to_json() for one in self.results]}

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Mapping[str, Any]) -> CompareResult:
        """Without tensors, which lie in the folders of the methods."""
        results = data.get("results")
        if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
            raise ActmaxError(f"{RESULT} holds no results; it was changed, so make it again.")
        told = [
            {**{name: value for name, value in one.items() if name != "tensors"}, "manifest": manifest}
            for one in results
        ]
        more = {name: data[name] for name in ("complete", "failed") if name in data}
        return from_plain(cls, {"results": told, "manifest": manifest, **more}, RESULT)

    def columns(self, what: str | None = None) -> dict[str, list[Any]]:
        """One row per method (``"methods"``).

        Raises:
            ActmaxError: there is no such table.
        """
        if what not in (None, "methods"):
            raise ActmaxError(f"There is no table {what!r}; ask for 'methods'.")
        return {
            "method": [one.method for one in self.results],
            "activation": [reached(one) for one in self.results],
            "ratio_to_corpus": [self.ratio(reached(one)) for one in self.results],
            "activation_of_text": [one.best_run.activation_of_text for one in self.results],
            "cross_entropy": [one.best_run.cross_entropy for one in self.results],
            "text": [one.best.text for one in self.results],
            **{
                name: [getattr(one.cost, name) for one in self.results]
                for name in ("sequences_scored", "forward_tokens", "backward_tokens", "seconds")
            },
        }


def reached(result: MaximizeResult) -> float:
    """What the model gives on a method's best tokens (for a soft method: on the nearest tokens)."""
    return result.best_run.activation_of_ids


def _or_worst(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
