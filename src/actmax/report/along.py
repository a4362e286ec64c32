"""Texts that a search found, with what each of their tokens does to the unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from actmax.report.heat import heat
from actmax.report.tokens import token
from actmax.results.maximize import MaximizeResult
from actmax.results.run import Along, Candidate


@dataclass(frozen=True)
class FoundText:
    """One row of a table of texts."""

    activation: float
    cross_entropy: float
    drawing: Markup
    method: str = ""
    colour: str = ""
    """A variable of the page's style, for example ``--blue``."""


def alongs_of(result: MaximizeResult) -> list[Along]:
    """Every text of a result that is known token by token."""
    rows = [run.along for run in result.runs]
    rows += [one.along for one in (*result.frontier, *result.solutions)]
    return [row for row in rows if row is not None]


def full_scale(rows: Iterable[Along]) -> float:
    """The magnitude that gets the full colour: the largest of all texts that are shown together."""
    return max((abs(value) for row in rows for value in row.activations if math.isfinite(value)), default=0.0)


def drawn_text(along: Along | None, text: str, full: float) -> Markup:
    """A text, coloured by the unit where it is known at each token."""
    if along is None or not along.tokens:
        return token(text)
    return heat(along.tokens, along.activations, -1 if along.read is None else along.read, full)


def found_text(one: Candidate, full: float, *, method: str = "", colour: str = "") -> FoundText:
    """A candidate as a row."""
    return FoundText(one.activation, one.cross_entropy, drawn_text(one.along, one.text, full), method, colour)


def reading(positions: str) -> str:
    """How activations are read, in words."""
    words = {
        "mean": "averaged over the positions",
        "last": "read at the last position",
        "max": "the largest over the positions",
        "each": "read at one position after the other, one search each",
    }
    return words.get(positions, f"read at position {positions}, counted from 0 after the prefix")
