"""One stream of random numbers per place in a run."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from actmax.errors import ActmaxError
from actmax.rng import stream

PLACES = st.tuples(st.integers(0, 2**63), st.integers(0, 2**31))


def draw(seed: int, *path: int) -> list[float]:
    return torch.randn(8, generator=stream(seed, *path)).tolist()


@given(PLACES)
def test_the_same_place_draws_the_same_numbers(place: tuple[int, int]) -> None:
    assert draw(*place) == draw(*place)


@given(st.sets(PLACES, min_size=2, max_size=5))
def test_different_places_draw_different_numbers(places: set[tuple[int, int]]) -> None:
    drawn = [tuple(draw(*place)) for place in places]
    assert len(set(drawn)) == len(drawn)


def test_streams_are_independent() -> None:
    """Correlations of 200 neighbouring streams stay within what chance gives (6 standard deviations)."""
    rows = torch.stack([torch.randn(2000, generator=stream(0, k)) for k in range(200)])
    apart = torch.corrcoef(rows) - torch.eye(200)
    assert float(apart.abs().max()) < 6 / 2000**0.5
    assert abs(float(rows.mean())) < 6 / rows.numel() ** 0.5


def test_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    draw(1, 2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_negative_seed() -> None:
    with pytest.raises(ActmaxError, match="The seed must be a whole number of at least 0 \\(got -1\\)"):
        stream(-1)
