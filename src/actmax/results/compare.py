"""The result of several methods on one unit: their results, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

from actmax.errors import ActmaxError
from actmax.legible import LONGEST, visible
from actmax.numbers import count, number
from actmax.results.budget import reached_after
from actmax.results.frames import Framed, columns_of, no_table
from actmax.results.manifest import Manifest
from actmax.results.maximize import MaximizeResult
from actmax.results.plain import from_plain
from actmax.results.run import CorpusMaximum, Cost, Run
from actmax.results.saving import RESULT, Saved
from actmax.results.shown import Beside, Count, Keywords, Shown, ShownColumn, columns_shown

SCHEMA = "actmax.compare/1"


@dataclass(frozen=True)
class Failed:
    """A method that found nothing."""

    method: str
    why: str
    """A sentence."""


@dataclass(frozen=True)
class BestMethod:
    """The method whose tokens give the best activation."""

    method: str
    activation: float
    text: str


@dataclass(frozen=True)
class CompareResult(Saved, Framed):
    """What each method found for the same question; made by :meth:`of`."""

    schema: ClassVar[str] = SCHEMA

    unit: str
    site: str
    index: Count | None
    model: str
    seed: int
    positions: str
    minimize: bool
    complete: bool
    """False where the comparison was interrupted; methods may then be missing."""
    failed: tuple[Failed, ...]
    """Methods that found nothing that may be given."""
    corpus_maximum: CorpusMaximum | None
    """The best in real text, where a method has measured it."""
    best: BestMethod
    results: Annotated[tuple[MaximizeResult, ...], Keywords(minItems=1)]
    """One per method, in the order in which they were asked for."""
    manifest: Annotated[Manifest, Beside()]
    conclusion: tuple[str, ...] = field(init=False, default=())
    """Which method found the most, and what that is compared with real text; it follows from the numbers."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "conclusion", _concluded(self))

    @classmethod
    def of(
        cls, results: Sequence[MaximizeResult], *, complete: bool = True, failed: Sequence[Failed] = ()
    ) -> CompareResult:
        """A comparison of results for one unit of one model.

        The manifest is that of the last method that searched tokens (of the last one where none did).

        Raises:
            ActmaxError: they are of different units or models, or some maximise and some minimise.
        """
        if len({(one.unit, one.model, one.minimize) for one in results}) != 1:
            raise ActmaxError(
                "Only results for the same unit of the same model in the same direction can be compared; "
                "give at least one, all of one question."
            )
        first, manifest = results[0], [one for one in results if not one.is_soft] or list(results)
        best = _ranked(results)[0]
        found = [one.corpus_maximum for one in results if one.corpus_maximum is not None]
        return cls(
            unit=first.unit,
            site=first.site,
            index=first.index,
            model=first.model,
            seed=first.seed,
            positions=first.positions,
            minimize=first.minimize,
            complete=complete,
            failed=tuple(failed),
            corpus_maximum=found[0] if found else None,
            best=BestMethod(best.method, reached(best), best.best.text),
            results=tuple(replace(one, manifest=manifest[-1].manifest) for one in results),
            manifest=manifest[-1].manifest,
        )

    @property
    def best_result(self) -> MaximizeResult:
        """The result of the method whose tokens give the best activation."""
        return self.ranked[0]

    def ratio(self, activation: float) -> float:
        """An activation as a multiple of the corpus maximum; NaN where that is unknown or of another sign."""
        corpus = self.corpus_maximum
        if corpus is None or not corpus.value * (-1 if self.minimize else 1) > 0:
            return math.nan
        return activation / corpus.value

    @property
    def ranked(self) -> tuple[MaximizeResult, ...]:
        """The results, the best first."""
        return _ranked(self.results)

    def table(self) -> tuple[ShownColumn, ...]:
        """One row per method, the best first: its best run, what only a comparison can say, and its cost."""
        rows = self.ranked
        soft = any(one.is_soft for one in rows)
        # What token methods optimise are the tokens, so their optimum would be the next column again.
        runs = columns_shown(
            [one.best_run for one in rows], "comparison", without=() if soft else ("activation_final",)
        )
        name, *beside_others = columns_shown([self._row(one) for one in rows], "comparison")
        return (name, *runs, *beside_others, *columns_shown([one.cost for one in rows], "comparison"))

    def _row(self, one: MaximizeResult) -> MethodRow:
        finals = [reached(other) for other in self.results if other is not one and not other.is_soft]
        finals = [value for value in finals if math.isfinite(value)]
        best = (min if self.minimize else max)(finals, default=math.nan)
        after = None if one.is_soft or not finals else reached_after(one, best)
        return MethodRow(one.method, self.ratio(reached(one)), after)

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], manifest: Manifest) -> CompareResult:
        """Without tensors, which the folders of the methods hold; the head is made anew from the results."""
        results = data.get("results")
        if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
            raise ActmaxError(f"{RESULT} holds no results; it was changed, so make it again.")
        whole = {**data, "results": [{**one, "manifest": manifest} for one in results]}
        made = from_plain(Compared, whole, RESULT)
        return cls.of(made.results, complete=made.complete, failed=made.failed)

    def columns(self, what: str | None = None) -> dict[str, list[Any]]:
        """One row per method (``"methods"``).

        Raises:
            ActmaxError: there is no such table.
        """
        if what not in (None, "methods"):
            raise no_table(what, "methods")
        runs = [one.best_run for one in self.results]
        rows = [self._row(one) for one in self.results]
        return {
            **columns_of(rows, MethodRow),
            "activation": [run.activation_of_ids for run in runs],
            **columns_of(runs, Run),
            **columns_of([one.cost for one in self.results], Cost),
        }


@dataclass(frozen=True)
class MethodRow:
    """What a comparison says of one method, besides its best run and its cost."""

    method: Annotated[
        str, Shown("method", "the one whose tokens give the best activation is marked", views=("comparison",))
    ]
    ratio_to_corpus: Annotated[
        float,
        Shown(
            "of real text",
            "activation on its tokens as a multiple of the corpus maximum",
            "times",
            ("comparison",),
        ),
    ]
    overtakes_after: Annotated[
        Count | None,
        Shown(
            "overtakes after",
            "sequences it had scored when it was as good as the best other method in the end",
            "count",
            ("comparison",),
        ),
    ]


@dataclass(frozen=True)
class Compared:
    """What a comparison is made of."""

    results: tuple[MaximizeResult, ...]
    complete: bool = True
    failed: tuple[Failed, ...] = ()


def reached(result: MaximizeResult) -> float:
    """What the model gives on a method's best tokens (for a soft method: on the nearest tokens)."""
    return result.best_run.activation_of_ids


def _concluded(result: CompareResult) -> tuple[str, ...]:
    """One or two sentences: which method found the most, and what that is beside real text."""
    best = result.best_result
    value, n = reached(best), len(result.results)
    if not math.isfinite(value):
        return ("No method gave a finite activation: nothing was found.",)
    text = visible(best.best.text[:LONGEST]) + ("…" if len(best.best.text) > LONGEST else "")
    end = "lowest" if best.minimize else "highest"
    said = f"Of {count(n)} methods {best.method} gets {end}: “{text}” gives {number(value)}"
    corpus, ratio = result.corpus_maximum, result.ratio(value)
    if corpus is not None and math.isfinite(ratio):
        said += (
            f", {number(ratio)} times the {'smallest' if best.minimize else 'largest'} in "
            f"{count(corpus.n_tokens)} tokens of {corpus.corpus} ({number(corpus.value)})"
        )
    others = [one for one in result.ranked if one is not best and math.isfinite(reached(one))]
    if others:
        rest = ", ".join(f"{one.method} {number(reached(one))}" for one in others)
        said += f"; {rest}"
    return f"{said}.", "This is one seed on one unit: another seed may change the order."


def _ranked(results: Sequence[MaximizeResult]) -> tuple[MaximizeResult, ...]:
    sign = -1.0 if results[0].minimize else 1.0
    return tuple(sorted(results, key=lambda one: -_or_worst(sign * reached(one))))


def _or_worst(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
