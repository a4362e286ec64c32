"""``actmax.select`` on the default model: what is known of words must be found."""

from __future__ import annotations

import json

import jsonschema
import pytest

import actmax
from actmax.api.load import load
from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.results.plain import json_text
from actmax.results.schema import schema_of
from actmax.selectivity.groups import word_group

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def model() -> Model:
    return load(device="cpu")


def test_nouns_and_verbs_are_told_apart_by_a_few_neurons_at_least(model: Model) -> None:
    result = actmax.select(
        model, "nouns", "verbs", sites="blocks.8.mlp.hook_pre", correction="bonferroni", context=False, heat=0
    )
    assert result.n_units == 1536
    assert 0.02 < result.significant / 1536 < 0.9
    assert result.held_out is not None
    assert result.held_out.concordance > 0.5
    assert result.held_out.same_sign > 0.9
    assert result.chance is not None
    assert result.chance.significant < 0.01
    assert result.probe is not None
    assert result.probe.accuracy > 0.85 > result.probe.majority
    assert set(result.covariates) == {"length", "frequency"}
    check = jsonschema.Draft202012Validator(schema_of("select"))
    assert not list(check.iter_errors(json.loads(json_text(result.to_json()))))


def test_halves_of_one_list_differ_in_nothing(model: Model) -> None:
    """The null control on real activations: nouns in alphabetical turns against each other."""
    from actmax.selectivity.wordlists import words

    nouns = words("nouns")
    a, b = (word_group(f"nouns {k}", "every other noun", nouns[k::2], "alone") for k in (0, 1))
    result = actmax.select(
        model, a, b, sites="blocks.[0-7].mlp.hook_pre", probe=False, context=False, corpus=None
    )
    assert result.n_units == 8 * 1536
    assert result.significant / result.n_units <= 0.05
    assert (result.tensors["p"] < 0.05).double().mean() < 0.15


def test_python_refuses_what_the_command_line_refuses(model: Model) -> None:
    with pytest.raises(ActmaxError, match="overlap"):
        actmax.select(model, "nouns", "words:teacher,dog", words="alone", corpus=None)
