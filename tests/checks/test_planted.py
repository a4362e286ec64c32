"""Each check on models where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.checks.planted import TRIGGERS, discontinuous, letters, reads, token, triggered, wired
from tests.tiny import tiny_model

from actmax.checks.assumption import Material, Measure
from actmax.checks.assumptions.continuity import Continuity
from actmax.checks.assumptions.importance import Importance
from actmax.checks.assumptions.one_feature import OneFeature
from actmax.checks.assumptions.readability import Readability
from actmax.checks.controls import other_units
from actmax.checks.predictor import detect
from actmax.checks.run import gather
from actmax.checks.sample import UnitSample, input_site, take_sample
from actmax.checks.soft_batch import SoftProtocol
from actmax.checks.texts import SourcedText
from actmax.checks.verdicts import judge
from actmax.models.model import Model
from actmax.models.sites import resolve
from actmax.progress import silent

WINDOWS = letters()
BRIEF = SoftProtocol(length=3, steps=5, lr=0.01)


def sample_of(model: Model, unit: str, others: int = 19) -> UnitSample:
    target = resolve(model, unit)
    return take_sample(model, target, other_units(model, target, others, 0), WINDOWS)


@pytest.mark.parametrize("n", [1, 3])
def test_the_number_of_triggers_is_recovered_with_an_example_of_each(n: int) -> None:
    sample = sample_of(triggered(*TRIGGERS[:n]), "blocks.1.mlp.hook_pre:0", others=3)
    found = OneFeature().measure(Material(sample, BRIEF, 0), silent)
    assert found.facts["kinds"] == n
    assert len(found.groups) == n
    shown = {passage.token.strip() for group in found.groups for passage in group.passages}
    assert shown == set(TRIGGERS[:n])
    for group in found.groups:
        assert len({passage.token for passage in group.passages}) == 1
    assert found.statistic == pytest.approx(1 / n, abs=0.1), "the share of pairs that share a context"
    assert found.facts["distinct_tokens"] == pytest.approx(n, rel=0.1)
    assert judge(OneFeature(), found).answer == ("one kind of context" if n == 1 else f"{n} kinds of context")


def importance(model: Model) -> Measure:
    return Importance().measure(Material(sample_of(model, "blocks.1.mlp.hook_post:0"), BRIEF, 0), silent)


def test_a_unit_that_the_output_reads_is_important_and_one_that_nothing_reads_is_not() -> None:
    read = judge(Importance(), importance(wired(40.0)))
    assert (read.answer, read.meaningful) == ("important", True)
    assert read.number("ablation_kl").value > 0.01
    assert read.number("relative_effect").value > 10
    assert read.number("clamp_kl").value > 0.01
    unread = judge(Importance(), importance(wired(0.0)))
    assert (unread.answer, unread.meaningful) == ("nothing reads it", False)
    assert unread.number("ablation_kl").value < 1e-7
    assert unread.number("zero_kl").value < 1e-7


def test_the_more_active_the_more_important_where_the_output_reads_it_evenly() -> None:
    found = importance(wired(5.0))
    rank = next(number for number in found.numbers if number.name == "rank_correlation")
    assert rank.value > 0.5


def measure_continuity(model: Model, unit: str) -> Measure:
    material = gather(sample_of(model, unit, others=3), 0, protocol=BRIEF)
    return Continuity().measure(material, silent)


def test_a_linear_unit_is_a_straight_line_and_a_discontinuous_one_a_cliff() -> None:
    linear = measure_continuity(tiny_model("llama"), "hook_embed:3")
    assert linear.facts["jump"] == pytest.approx(1 / 32, rel=1e-3)
    assert linear.facts["bend"] == pytest.approx(0, abs=1e-4)
    cliff = measure_continuity(discontinuous(), "blocks.1.mlp.hook_post:0")
    assert cliff.facts["jump"] > 0.5
    assert judge(Continuity(), cliff).answer == "it jumps"


def readability(sample: UnitSample, *texts: str) -> Measure:
    material = gather(sample, 0, protocol=BRIEF, texts=[SourcedText("by hand", text) for text in texts])
    return Readability().measure(material, silent)


@pytest.mark.parametrize(("what", "token_knows"), [("token", True), ("before", False)])
def test_what_a_unit_depends_on_is_what_predicts_it(what: str, token_knows: bool) -> None:
    found = readability(sample_of(reads(what), "blocks.0.mlp.hook_pre:0", others=3))
    assert found.facts["detection_auc"] > 0.9
    if token_knows:
        assert found.facts["token_auc"] > 0.9
        assert judge(Readability(), found).answer == "readable from the token"
    else:
        assert found.facts["token_auc"] < found.facts["detection_auc"] - 0.2
        assert judge(Readability(), found).answer == "readable from context"


def test_the_predictor_leaves_out_what_does_not_hold_on_unseen_text() -> None:
    """A unit that is its token and noise: before and around there is nothing but noise to learn."""
    sample = sample_of(tiny_model("llama"), "hidden_states.2:5", others=1)
    rng = np.random.default_rng(0)
    values = sample.values.copy()
    values[0] = rng.normal(size=300)[sample.ids % 300] + rng.normal(size=sample.ids.shape)
    changed = replace(sample, readings=replace(sample.readings, values=values))
    found = detect(changed, seed=0)
    token, before, words = found.weights
    assert token == pytest.approx(1, abs=0.2)
    assert before < 0.3
    assert words < 0.3
    assert found.full[0] == pytest.approx(found.token[0], abs=0.02)


def test_a_found_text_is_judged_by_what_the_model_gives_on_it() -> None:
    sample = sample_of(triggered("a"), "blocks.1.mlp.hook_pre:0", others=3)
    found = readability(sample, " d e a f", " d e f")
    rank = next(number for number in found.numbers if number.name == "corpus_rank")
    share = float((sample.ids[sample.kept] == token("a")).mean())
    assert rank.value <= share + 0.01, "only positions with the trigger reach it"
    best = found.groups[0]
    assert best.title == "Text found by by hand"
    assert best.passages[0].token == " a"
    words = next(number for number in found.numbers if number.name == "dictionary_words")
    assert words.value == 1.0


def test_the_input_of_a_unit_is_the_stream_that_it_is_computed_from() -> None:
    model = tiny_model("llama")
    expected = {
        "hook_embed": "hook_embed",
        "blocks.0.hook_resid_pre": "blocks.0.hook_resid_pre",
        "blocks.2.hook_resid_pre": "blocks.1.hook_resid_pre",
        "blocks.1.hook_resid_post": "blocks.1.hook_resid_pre",
        "blocks.1.mlp.hook_post": "blocks.1.hook_resid_mid",
        "blocks.1.attn.hook_q": "blocks.1.hook_resid_pre",
        "ln_final.hook_normalized": "blocks.2.hook_resid_post",
        "unembed.hook_logits": "blocks.2.hook_resid_post",
    }
    for site, before in expected.items():
        assert input_site(model, resolve(model, f"{site}:0").site).name == before
    pre = input_site(tiny_model("phi"), resolve(tiny_model("phi"), "blocks.1.mlp.hook_post:0").site)
    assert pre.name == "blocks.1.hook_resid_pre", "parallel blocks have no stream in the middle"


def test_kept_positions_are_neither_the_first_nor_sinks() -> None:
    sample = sample_of(tiny_model("llama"), "hidden_states.2:5")
    assert not sample.kept[:, 0].any()
    assert sample.kept.sum() > 0
    np.testing.assert_allclose(sample.means, sample.values[:, sample.kept].mean(axis=1), rtol=1e-4)
    places = sample.strongest(0, 5, each=1)
    assert len({row for row, _ in places}) == 5
    assert sample.values[0][places[0]] == sample.values[0][sample.kept].max()
    assert torch.isfinite(sample.inputs).all()
