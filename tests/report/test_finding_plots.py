"""Pictures of findings with every kind of number that a measurement can give."""

from __future__ import annotations

import itertools
import math

import pytest

from actmax.report.finding import draw
from actmax.results.finding import Picture, Series

NUMBERS = [
    (),
    (0.0, 0.0),
    (math.inf,),
    (math.nan,),
    (-math.inf, 2.0, math.nan),
    (1e308, -1e308),
    (1e-320, 5.0),
]


@pytest.mark.parametrize(
    ("kind", "log"), list(itertools.product(("lines", "points", "strips"), (False, True)))
)
def test_every_picture_can_be_drawn(kind: str, log: bool) -> None:
    for values in NUMBERS:
        series = (Series("this unit", values, values), Series("units", values, values[::-1], "control"))
        assert "<svg" in draw(Picture(kind, "Title", "x", "y", series, "What is seen.", log), "p").drawing


def test_an_infinite_value_is_drawn_at_the_edge() -> None:
    def drawing(*values: float) -> str:
        return draw(Picture("strips", "T", "x", "", (Series("units", values, ()),), "Seen."), "p").drawing

    assert drawing(1.0, 2.0, math.inf) == drawing(1.0, 2.0, 2.0)
    assert drawing(1.0, 2.0, math.nan) == drawing(1.0, 2.0)
