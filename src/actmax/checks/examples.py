"""The strongest examples of a unit in a sample, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from actmax.checks.sample import UnitSample
from actmax.corpus.token_text import token_text
from actmax.results.finding import Passage

STRONGEST, FEWEST, CONTEXT = 48, 12, 12

Place: TypeAlias = tuple[int, int]
"""Window and position."""


def strongest_examples(sample: UnitSample, unit: int = 0) -> list[Place]:
    """At most 48 positions that are at least half of the way from mean to maximum, filled up to 12."""
    values, mean = sample.values[unit], float(sample.means[unit])
    found = sample.strongest(unit, STRONGEST, repeats=False)
    high = mean + 0.5 * (float(values[found[0]]) - mean)
    found = [place for place in found if values[place] >= high]
    for place in sample.strongest(unit, FEWEST) if len(found) < FEWEST else ():
        if place not in found and len(found) < FEWEST:
            found.append(place)
    return sorted(found, key=lambda place: -float(values[place]))


def most_frequent_token(sample: UnitSample, places: Sequence[Place]) -> tuple[str, float]:
    """The most frequent token of some places, and its share."""
    names, counts = np.unique([sample.ids[place] for place in places], return_counts=True)
    token = token_text(sample.model.tokenizer, int(names[counts.argmax()]))
    return token.strip(" ") or "space", float(counts.max() / counts.sum())


def passage(sample: UnitSample, row: int, column: int) -> Passage:
    """The text around one position."""
    before, token, after = sample.windows.context(int(sample.where[row, column]), CONTEXT, CONTEXT // 2)
    shown = token or token_text(sample.model.tokenizer, int(sample.ids[row, column]))
    return Passage(float(sample.values[0, row, column]), before, shown, after)
