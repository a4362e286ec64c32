"""What one unit does on a corpus: statistics, the strongest and typical examples, the tokens that win.

All from the values at every position (:mod:`actmax.corpus.reading`), so all exact:

1. The tokens that count are those that are neither at position 0 nor sinks (unless asked for); the number
   left out is given.
2. Moments, extremes and quantiles are those of the values that count, in float64; ``std`` divides by n.
3. Examples are ranked by activation, ties by corpus position. Unless asked otherwise, each document gives
   only its strongest, and two examples with the same text around them count as one.
4. The token that wins a window is the one at its largest value that counts, the earliest of equals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from actmax.corpus.reading import Readings, positions
from actmax.corpus.sinks import nothing_left
from actmax.corpus.token_text import token_text
from actmax.corpus.windows import Windows
from actmax.results.observed_unit import (
    CorpusExample,
    Excluded,
    LeftOut,
    ObservedQuantile,
    UnitHistogram,
    UnitObservation,
    WinningToken,
)

BINS = 100
QUANTILES = (0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)
EACH_QUANTILE = 2
"""The number of examples shown for each quantile."""
WINNERS = 50
"""The number of winning tokens that are listed."""


def observe_unit(
    readings: Readings,
    unit: int,
    *,
    top: int = 20,
    context: int = 32,
    include_sinks: bool = False,
    all_examples: bool = False,
) -> UnitObservation:
    """What one of some units does on a corpus.

    Args:
        readings: from :func:`actmax.corpus.reading.read_units`.
        unit: which of its units.
        top: how many examples at either end.
        context: tokens shown on either side of an example.
        include_sinks: also count sinks, and position 0 where it holds a token of the corpus.
        all_examples: allow several examples per document and per context.

    Raises:
        ActmaxError: every position is left out.
    """
    windows = readings.windows
    where, document, valid = positions(windows, readings.n_windows)
    values = readings.values[unit]
    real = where >= 0
    sinks = readings.sinks(unit, valid) & valid
    kept = real if include_sinks else valid & ~sinks
    if not kept.any():
        raise nothing_left(windows.tokens.name)
    kept_values = values[kept].astype(np.float64)
    rows, columns = np.nonzero(kept)
    view = _View(windows, values, kept, where, document[rows], rows, columns, context)
    down = _ranked(-kept_values)
    up = _ranked(kept_values)
    counts, edges = np.histogram(kept_values, bins=BINS)
    read = int(real.sum()) + (readings.n_windows if windows.bos is not None else 0)
    described = readings.units[unit]
    return UnitObservation(
        unit=described.name,
        site=described.site.name,
        index=described.index,
        count=len(kept_values),
        mean=float(kept_values.mean()),
        std=float(kept_values.std()),
        min=float(kept_values.min()),
        max=float(kept_values.max()),
        density=float((kept_values > 0).mean()),
        histogram=UnitHistogram(tuple(map(float, edges)), tuple(map(int, counts))),
        top=view.examples(down, top, all_examples=all_examples),
        bottom=view.examples(up, top, all_examples=all_examples),
        quantiles=tuple(view.quantiles(kept_values, up)),
        top_tokens=_winners(windows, np.where(kept, values, -np.inf), kept, where),
        bottom_tokens=_winners(windows, np.where(kept, -values, -np.inf), kept, where),
        windows=int(kept.any(axis=1).sum()),
        excluded=Excluded(
            position_0=_left(readings.n_windows - int(kept[:, 0].sum()), read),
            sinks=_left(int((sinks & ~kept).sum()), read),
        ),
    )


def _ranked(values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The places from the smallest value up, with equal values in corpus order."""
    return np.argsort(values, kind="stable")


def _left(count: int, read: int) -> LeftOut:
    return LeftOut(count, count / read)


def _winners(
    windows: Windows,
    values: Float[np.ndarray, "window pos"],
    kept: Bool[np.ndarray, "window pos"],
    where: Int[np.ndarray, "window pos"],
) -> tuple[WinningToken, ...]:
    rows = np.flatnonzero(kept.any(axis=1))
    won = where[rows, values[rows].argmax(axis=1)]
    counts = Counter(int(token) for token in windows.tokens.ids[won])
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WINNERS]
    tokenizer = windows.tokens.tokenizer
    return tuple(
        WinningToken(token_text(tokenizer, token), token, count, count / len(rows)) for token, count in ranked
    )


@dataclass(frozen=True)
class _View:
    """Kept positions by their place among the kept ones, and how to show them."""

    windows: Windows
    values: Float[np.ndarray, "window pos"]
    kept: Bool[np.ndarray, "window pos"]
    where: Int[np.ndarray, "window pos"]
    document: Int[np.ndarray, " n"]
    rows: Int[np.ndarray, " n"]
    columns: Int[np.ndarray, " n"]
    context: int

    def examples(
        self, ranked: Int[np.ndarray, " n"], most: int, *, all_examples: bool
    ) -> tuple[CorpusExample, ...]:
        """The first ``most`` of the ranked places, by default one per document and per context."""
        if all_examples:
            return tuple(self.example(int(place)) for place in ranked[:most])
        _, firsts = np.unique(self.document[ranked], return_index=True)
        found: list[CorpusExample] = []
        seen: set[tuple[str, str, str]] = set()
        for first in np.sort(firsts):
            if len(found) == most:
                break
            example = self.example(int(ranked[first]))
            text = (example.text_before, example.token, example.text_after)
            if text not in seen:
                seen.add(text)
                found.append(example)
        return tuple(found)

    def quantiles(
        self, values: Float[np.ndarray, " n"], ranked: Int[np.ndarray, " n"]
    ) -> Iterator[ObservedQuantile]:
        """Each quantile with the examples nearest to it in rank, of different documents where possible."""
        at = np.quantile(values, QUANTILES)
        for quantile, value in zip(QUANTILES, at, strict=True):
            middle = round(quantile * (len(ranked) - 1))
            near = sorted(
                range(max(0, middle - 20), min(len(ranked), middle + 21)), key=lambda k: abs(k - middle)
            )
            chosen: dict[int, int] = {}
            for rank in near:
                chosen.setdefault(int(self.document[ranked[rank]]), int(ranked[rank]))
            places = list(chosen.values())[:EACH_QUANTILE]
            yield ObservedQuantile(quantile, float(value), tuple(self.example(place) for place in places))

    def example(self, place: int) -> CorpusExample:
        """One position as an example, with its text."""
        row, column = int(self.rows[place]), int(self.columns[place])
        where = int(self.where[row, column])
        begin, end = self.windows.window_span(where)
        first, last = max(begin, where - self.context), min(end, where + 1 + self.context)
        shift = column - where  # a position's column less its corpus position, the same in the whole window
        shown = slice(first + shift, last + shift)
        values = np.where(self.kept[row, shown], self.values[row, shown], np.nan)
        before, _, after = self.windows.context(where, self.context, self.context)
        location = self.windows.locate(where)
        tokens = tuple(self._label(first, last))
        return CorpusExample(
            activation=float(self.values[row, column]),
            token=tokens[where - first],
            text_before=before,
            text_after=after,
            document=location.document,
            offset=location.offset,
            document_name=location.name,
            where=where,
            tokens=tokens,
            values=tuple(float(str(value)) for value in values),
            peak=where - first,
        )

    def _label(self, first: int, last: int) -> Iterator[str]:
        """Each token's own stretch of the text; a token that is not a whole character is written as its
        bytes."""
        cuts = self.windows.cuts(first, last)
        text = self.windows.tokens.texts[self.windows.locate(first).document]
        tokenizer = self.windows.tokens.tokenizer
        for k, where in enumerate(range(first, last)):
            alone = token_text(tokenizer, self.windows.token(where))
            stretch = text[cuts[k] : cuts[k + 1]]
            yield stretch if stretch and "<0x" not in alone else alone
