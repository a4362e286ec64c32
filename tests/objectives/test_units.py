"""A unit's activation, reduced over positions."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.tiny import tiny_ids, tiny_model

from actmax.errors import ActmaxError
from actmax.models.read import read
from actmax.models.sites import Site, Unit, resolve
from actmax.objectives.activation import Positions, activation, along, reduce, site_profile
from actmax.objectives.objective import Reading

VALUES = arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6))


@given(VALUES)
def test_reductions_against_numpy(values: Any) -> None:
    tensor = torch.from_numpy(values)
    np.testing.assert_allclose(reduce(tensor, "mean").numpy(), values.mean(axis=1), rtol=1e-9, atol=1e-6)
    np.testing.assert_array_equal(reduce(tensor, "last").numpy(), values[:, -1])
    np.testing.assert_array_equal(reduce(tensor, "max").numpy(), values.max(axis=1))


@pytest.mark.parametrize(("positions", "expected"), [("mean", 2.0), ("last", 1.0), ("max", 4.0)])
def test_reductions_by_hand(positions: Positions, expected: float) -> None:
    acts = torch.zeros(1, 3, 2)
    acts[0, :, 1] = torch.tensor([1.0, 4.0, 1.0])
    site = Site("hook_embed")
    score = activation(Unit(site, 1, "u"), positions)(Reading({site: acts}))
    assert score.tolist() == [expected]


def test_a_direction_is_a_dot_product() -> None:
    site = Site("hook_embed")
    direction = torch.tensor([0.6, 0.8])
    value = torch.tensor([[[1.0, 2.0], [3.0, -1.0]]])
    assert along(Unit(site, None, "d", direction), value).tolist() == [
        [pytest.approx(2.2), pytest.approx(1.0)]
    ]


def test_the_activation_is_what_transformers_gives() -> None:
    model = tiny_model("gpt2")
    unit = resolve(model, "hidden_states.2:11")
    with torch.no_grad():
        hidden = model.net(tiny_ids(), output_hidden_states=True).hidden_states[2][..., 11]
        score = activation(unit)(Reading(read(model, [unit.site], ids=tiny_ids())))
    torch.testing.assert_close(score, hidden.mean(1))


def test_a_profile_holds_every_index_of_the_site() -> None:
    value = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    for positions in ("mean", "last", "max"):
        profile = site_profile(value, positions)
        units = [Unit(Site("hook_embed"), i, str(i)) for i in range(7)]
        each = [reduce(along(unit, value), positions) for unit in units]
        torch.testing.assert_close(profile, torch.stack(each, dim=1))
    assert site_profile(value.half(), "mean").dtype == torch.float32


def test_an_unknown_reduction() -> None:
    """Without the type checks of the tests, as a user meets it."""
    for function, value in ((activation, Unit(Site("hook_embed"), 0, "u")), (reduce, torch.zeros(1, 2))):
        with pytest.raises(ActmaxError, match="read as mean, last, max, not 'first'"):
            inspect.unwrap(function)(value, "first")
