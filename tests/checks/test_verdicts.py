"""The rules: ranks, standing, answers, sentences, and how often chance is called meaningful."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny import tiny_model

from actmax.checks.importance import spearman
from actmax.checks.kinds import kinds
from actmax.checks.measure import Measure, rank_p
from actmax.checks.predictor import auc
from actmax.checks.shuffled import shuffled_copy
from actmax.checks.story import Facts, conclusion
from actmax.checks.verdicts import answer, judge, standing
from actmax.results.finding import Check, Number

VALUES = st.lists(st.integers(0, 6).map(float), min_size=2, max_size=40)


@given(VALUES)
def test_a_rank_is_at_most_five_percent_in_at_most_five_percent_of_units_ties_or_not(
    values: list[float],
) -> None:
    """The construction: every unit of a set judged against the rest of it."""
    p = [rank_p(value, values[:k] + values[k + 1 :]) for k, value in enumerate(values)]
    assert sum(one <= 0.05 for one in p) <= 0.05 * len(values)


def measure(value: float, others: tuple[float, ...]) -> Measure:
    number = Number("auc", "AUC", value, 10, "Of 10.")
    return Measure(
        "readability",
        "A human can read it",
        value,
        others,
        (number,),
        (),
        (),
        {"token_auc": value, "detection_auc": value},
    )


def test_standing() -> None:
    low = tuple(float(k) / 100 for k in range(19))
    high = tuple(1 + float(k) for k in range(19))
    assert judge(measure(0.9, low)).standing == "stands out"
    assert judge(measure(0.9, low), measure(0.1, low)).standing == "stands out"
    assert judge(measure(0.9, low), measure(0.1, high)).standing == "survives shuffling"
    assert judge(measure(0.9, low), measure(0.95, low)).standing == "survives shuffling", (
        "the unit itself there"
    )
    assert judge(measure(0.9, high), measure(0.1, low)).standing == "ordinary"
    assert judge(measure(float("nan"), low)).standing == "ordinary"
    assert standing(0.05, 0.05) == "stands out"
    assert standing(0.06, None) == "ordinary"
    few = judge(measure(0.9, low[:18]))
    assert not few.meaningful, "18 units cannot give p <= 0.05"


def test_the_shuffled_copy_is_shown_beside_the_number() -> None:
    check = judge(measure(0.9, (0.1,) * 19), measure(0.3, (0.2,) * 19))
    (control,) = check.numbers[0].controls
    assert control.value == 0.3
    assert control.p == check.p_shuffled == pytest.approx(1 / 21)
    assert "20 units there" in control.label


@pytest.mark.parametrize(
    ("name", "facts", "meaningful", "expected"),
    [
        ("one-feature", {"kinds": 3.0}, True, "3 kinds of context"),
        ("one-feature", {"kinds": 1.0}, True, "one kind of context"),
        ("one-feature", {"kinds": 1.0}, False, "no clear kind"),
        ("importance", {"largest_kl": 0.0}, True, "nothing reads it"),
        ("importance", {"largest_kl": 1.0}, True, "important"),
        ("importance", {"largest_kl": 1.0}, False, "no more than other units"),
        ("continuity", {"jump": 0.6, "kept_by_tokens": 1.0}, True, "it jumps"),
        ("continuity", {"jump": 0.1, "kept_by_tokens": 0.1}, True, "the optimum is no text"),
        ("continuity", {"jump": 0.1, "kept_by_tokens": 0.6}, True, "continuous"),
        ("readability", {"token_auc": 0.8, "detection_auc": 0.9}, True, "readable from the token"),
        ("readability", {"token_auc": 0.7, "detection_auc": 0.9}, True, "readable from context"),
        ("readability", {"token_auc": 0.6, "detection_auc": 0.7}, True, "partly readable"),
        ("readability", {"token_auc": 0.6, "detection_auc": 0.6}, True, "not readable"),
    ],
)
def test_answers(name: str, facts: dict[str, float], meaningful: bool, expected: str) -> None:
    assert answer(name, facts, meaningful=meaningful) == expected


def check_of(name: str, standing: str, answer: str = "") -> Check:
    return Check(name, name.title(), answer, standing, standing == "stands out", 0.05, 0.05, "", (), ())


FACTS = Facts("u:1", "the", 0.25, 1, 0.9, 30.0, 3.0, 1.0, 2.5, 8.0, 10, "different solutions")


def test_the_conclusion_follows_the_numbers() -> None:
    checks = [check_of("importance", "stands out"), check_of("readability", "survives shuffling")]
    seen, done, concluded = conclusion(FACTS, checks)
    assert seen == (
        "In real text, u:1 is strongest in one kind of context, most often at “the” (25 % of the strongest"
        " examples), and its strongest positions can be predicted in unseen text (AUC 0.90)."
    )
    assert done == (
        "Free vectors drive it to 30, 3.00 times the corpus maximum, but their nearest tokens give 1 and"
        " 2.5 at their strongest position, less than its strongest examples in the corpus (8): the optimum"
        " does not show what text does; 10 runs find different solutions."
    )
    assert concluded == (
        "What may be concluded: it stands out among units of its site for: importance; shuffled weights"
        " give as much for readability, so those numbers say nothing of what was learned."
    )


def test_the_conclusion_of_an_ordinary_and_of_an_unread_unit() -> None:
    ordinary = conclusion(FACTS, [check_of("importance", "ordinary")])[2]
    assert ordinary == "What may be concluded: it does not stand out among units of its site."
    unread = conclusion(FACTS, [check_of("importance", "ordinary", "nothing reads it")])[2]
    assert "nothing in the model reads this unit" in unread


def test_one_cloud_is_cut_by_chance_at_most_seldom_and_clouds_apart_are_counted() -> None:
    rng = np.random.default_rng(0)
    cut = sum(kinds(rng.normal(size=(40, 6)), np.random.default_rng(k)).n > 1 for k in range(20))
    assert cut <= 3
    centres = 12 * rng.normal(size=(4, 6))
    apart = np.concatenate([centre + rng.normal(size=(12, 6)) for centre in centres])
    assert kinds(apart, rng).n == 4
    assert kinds(np.ones((20, 5)), rng).n == 1


def test_auc_and_spearman_against_scipy() -> None:
    from scipy.stats import mannwhitneyu, spearmanr

    rng = np.random.default_rng(1)
    scores, target = rng.integers(0, 9, 60).astype(float), rng.random(60) > 0.6
    expected = mannwhitneyu(scores[target], scores[~target]).statistic / (target.sum() * (~target).sum())
    assert auc(scores, target) == pytest.approx(expected)
    other = rng.integers(0, 5, 60).astype(float)
    assert spearman(scores, other) == pytest.approx(spearmanr(scores, other).statistic)
    assert spearman(np.ones(5), np.arange(5.0)) == 0


def test_the_shuffled_copy_has_the_same_entries_elsewhere_and_keeps_ties() -> None:
    model = tiny_model("llama", tie_word_embeddings=True)
    before = {name: weight.clone() for name, weight in model.net.named_parameters()}
    copied = shuffled_copy(model, 3)
    again = dict(shuffled_copy(model, 3).net.named_parameters())
    for name, weight in copied.net.named_parameters():
        assert torch.equal(weight, again[name]), "the same seed, the same copy"
        assert torch.equal(before[name], dict(model.net.named_parameters())[name]), "the model is left alone"
        if weight.ndim < 2:
            assert torch.equal(weight, before[name])
        else:
            assert not torch.equal(weight, before[name])
            assert torch.equal(weight.flatten().sort().values, before[name].flatten().sort().values)
    assert copied.net.get_input_embeddings().weight is copied.net.get_output_embeddings().weight
    assert not any(weight.requires_grad for weight in copied.net.parameters())
