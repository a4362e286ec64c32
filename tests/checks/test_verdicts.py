"""The rules: ranks, standing, answers, sentences, and how often chance is called meaningful."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny import tiny_model

from actmax.checks.assumption import Measure
from actmax.checks.assumptions.importance import spearman
from actmax.checks.assumptions.one_feature import strongest_in
from actmax.checks.assumptions.readability import Readability, predicted_by_words
from actmax.checks.conclusion import Driven, concluded, driven, observed
from actmax.checks.kinds import Standardization, divide, least
from actmax.checks.predictor import auc
from actmax.checks.ranks import rank_p
from actmax.checks.registry import assumptions
from actmax.checks.shuffled import shuffled_copy
from actmax.checks.verdicts import judge, standing
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
    return Measure(value, others, (number,), (), (), {"token_auc": value, "detection_auc": value})


def judged(value: float, others: tuple[float, ...], shuffled: Measure | None = None) -> Check:
    return judge(Readability(), measure(value, others), shuffled)


def test_standing() -> None:
    low = tuple(float(k) / 100 for k in range(19))
    high = tuple(1 + float(k) for k in range(19))
    assert judged(0.9, low).standing == "stands out"
    assert judged(0.9, low, measure(0.1, low)).standing == "stands out"
    assert judged(0.9, low, measure(0.1, high)).standing == "no better than shuffled weights"
    assert judged(0.9, low, measure(0.95, low)).standing == "no better than shuffled weights", (
        "the unit itself there"
    )
    assert judged(0.9, high, measure(0.1, low)).standing == "differs from shuffled weights"
    assert judged(0.9, high).standing == "like other units"
    nothing = judged(float("nan"), low)
    assert (nothing.standing, nothing.meaningful) == ("not compared", False)
    assert standing(1.0, 0.05, 0.05) == "stands out"
    assert standing(1.0, 0.06, None) == "like other units"
    few = judged(0.9, low[:18])
    assert not few.meaningful, "18 units cannot give p <= 0.05"


def test_the_shuffled_copy_is_shown_beside_the_number() -> None:
    check = judged(0.9, (0.1,) * 19, measure(0.3, (0.2,) * 19))
    (control,) = check.numbers[0].controls
    assert control.value == 0.2
    assert control.p == check.p_shuffled == pytest.approx(1 / 21)
    assert control.label == "20 units, weights shuffled (median)"


@pytest.mark.parametrize(
    ("name", "facts", "meaningful", "expected"),
    [
        ("one-feature", {"kinds": 3.0, "largest": 0.4}, True, "3 kinds of context"),
        ("one-feature", {"kinds": 1.0, "largest": 0.5}, False, "one kind of context"),
        ("one-feature", {"kinds": 1.0, "largest": 0.4}, True, "no clear kind"),
        ("one-feature", {"kinds": 0.0, "largest": 0.0}, False, "no clear kind"),
        ("importance", {"largest_kl": 0.0}, True, "nothing reads it"),
        ("importance", {"largest_kl": 1.0}, True, "important"),
        ("importance", {"largest_kl": 1.0}, False, "no more than other units"),
        ("continuity", {"jump": 0.6, "kept_by_tokens": 1.0}, True, "it jumps"),
        ("continuity", {"jump": 0.1, "kept_by_tokens": 0.1}, True, "the optimum is not a text"),
        ("continuity", {"jump": 0.1, "kept_by_tokens": 0.6}, True, "continuous"),
        ("continuity", {"jump": 0.1, "kept_by_tokens": float("nan")}, False, "ascent finds nothing"),
        ("readability", {"token_auc": 0.8, "detection_auc": 0.9}, True, "readable from the token"),
        ("readability", {"token_auc": 0.7, "detection_auc": 0.9}, True, "readable from context"),
        ("readability", {"token_auc": 0.6, "detection_auc": 0.7}, True, "partly readable"),
        ("readability", {"token_auc": 0.6, "detection_auc": 0.6}, True, "not readable"),
    ],
)
def test_answers(name: str, facts: dict[str, float], meaningful: bool, expected: str) -> None:
    (check,) = [one for one in assumptions() if one.name == name]
    assert check.answer(Measure(1.0, (), (), (), facts=facts), meaningful=meaningful) == expected


def check_of(name: str, standing: str, remark: str = "", p_shuffled: float | None = 0.05) -> Check:
    (found,) = [one for one in assumptions() if one.name == name]
    p = 0.05 if standing == "stands out" else 0.5
    meaningful = standing == "stands out"
    numbers = (Number(name, name, 1.0, 10, "Of 10."),)
    return Check(
        name,
        found.assumption,
        "",
        standing,
        meaningful,
        p,
        p_shuffled,
        "",
        numbers,
        (),
        subject=found.subject,
        remark=remark,
    )


FACTS = Driven(
    soft=30.0,
    steps=75,
    soft_ratio=3.0,
    peak=2.5,
    strong=8.0,
    runs=10,
    verdict="different solutions",
)


def test_the_conclusion_follows_the_numbers() -> None:
    checks = [
        check_of("importance", "stands out"),
        check_of("readability", "no better than shuffled weights"),
    ]
    clauses = ("u:1 is strongest in 2 kinds of context", "", "simple facts about the words predict where")
    seen = observed("u:1", [replace(checks[0], observed=clause) for clause in clauses])
    assert seen == (
        "In real text, u:1 is strongest in 2 kinds of context, and simple facts about the words predict"
        " where."
    )
    assert driven(replace(FACTS, text=12.0, text_ratio=1.2, resemblance=0.95)) == (
        "Free vectors drive it to 30 (3 times the corpus maximum) after 75 steps, but the nearest tokens of a"
        " run give 2.5 at their strongest position, less than its strongest examples in the corpus (8), so"
        " the optimum does not show what text does;"
        " the best text that was searched gives 12 (1.2 times the corpus maximum), in a context like theirs;"
        " 10 runs find different solutions."
    )
    assert concluded(checks) == (
        "What may be concluded: it stands out among units of its site in what ablating it does; a copy with"
        " shuffled weights does as well in how well words predict it, so that is no evidence of something"
        " learned."
    )


@pytest.mark.parametrize(
    ("answer", "share", "said"),
    [
        ("no clear kind", 0.2, "strongest in no clear kind of context,"),
        ("one kind of context", 0.2, "strongest in one kind of context,"),
        ("2 kinds of context", 0.19, "at no token in particular (the most frequent, “the”, makes up 19 %)"),
        ("2 kinds of context", 0.2, "most often at “the” (20 % of its strongest examples)"),
    ],
)
def test_where_the_unit_is_strongest(answer: str, share: float, said: str) -> None:
    assert said in strongest_in("u:1", answer, "the", share)


@pytest.mark.parametrize(
    ("auc", "said"),
    [
        (0.8, "words predict where (AUC 0.80"),
        (0.79, "words predict in part where (AUC 0.79"),
        (0.64, "words do not predict where (AUC 0.64"),
    ],
)
def test_how_well_words_predict_it(auc: float, said: str) -> None:
    assert said in predicted_by_words(auc)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"peak": 7.9},
            "7.9 at their strongest position, less than its strongest examples in the corpus (8), so",
        ),
        ({"peak": 8.0}, "and the nearest tokens of a run give 8 at their strongest position, as much as its"),
        ({"soft_ratio": None}, "Free vectors drive it to 30 after 75 steps, but"),
        ({"text": 5.0, "text_ratio": None, "resemblance": 0.89}, "gives 5, in a context not like theirs;"),
        ({"verdict": "same point"}, "10 runs find the same point."),
        ({"verdict": "same subspace"}, "10 runs find different points of one subspace."),
    ],
)
def test_the_second_sentence(changed: dict[str, Any], said: str) -> None:
    assert said in driven(replace(FACTS, **changed))


def test_without_a_search_over_text_nothing_is_said_of_one() -> None:
    assert "searched" not in driven(FACTS)


NOTHING_READS = "nothing in the model reads this unit"
CHANCE = "no better than shuffled weights"


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        (
            [check_of("importance", "differs from shuffled weights")],
            "in what ablating it does, it differs from shuffled weights, but is like other units of its"
            " site.",
        ),
        (
            [
                check_of("importance", "differs from shuffled weights", NOTHING_READS),
                check_of("continuity", "stands out"),
            ],
            "nothing in the model reads this unit; it stands out among units of its site in what tokens keep"
            " of its optimum; in what ablating it does, it differs from shuffled weights, but is like other"
            " units of its site.",
        ),
        (
            [check_of("importance", CHANCE), check_of("one-feature", CHANCE)],
            "a copy with shuffled weights does as well in all of the checks, so none of them is evidence of"
            " something learned.",
        ),
        (
            [check_of("one-feature", "stands out", p_shuffled=None)],
            "it stands out among units of its site in how alike its contexts are; no copy with shuffled"
            " weights was checked in full, so what it would give is not known.",
        ),
        (
            [check_of("one-feature", "like other units", p_shuffled=None)],
            "in how alike its contexts are, it is like other units of its site; no copy with shuffled weights"
            " was checked in full, so what it would give is not known.",
        ),
        (
            [check_of("one-feature", "not compared"), check_of("importance", "not compared")],
            "how alike its contexts are and what ablating it does could not be compared.",
        ),
    ],
)
def test_the_third_sentence(checks: list[Check], said: str) -> None:
    assert concluded(checks) == f"What may be concluded: {said}"


def unit_rows(rows: np.ndarray) -> np.ndarray:
    made: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return made


def test_clouds_apart_are_counted_and_what_is_in_none_is_scattered() -> None:
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(4, 60))
    sizes = (20, 12, 6, 4)
    rows = [centre + rng.normal(size=(n, 60)) for centre, n in zip(centres, sizes, strict=True)]
    lonely = 3 * rng.normal(size=(8, 60))
    found = divide(unit_rows(np.concatenate([*rows, lonely])))
    assert found.sizes == (20, 12, 6), "a kind has at least a tenth of the fifty vectors"
    assert (found.labels[-8:] == -1).all()
    assert (found.labels[:20] == 0).all()
    pairs = sum(n * (n - 1) / 2 for n in sizes) / (50 * 49 / 2)
    assert found.alike == pytest.approx(pairs, abs=0.01)


def test_one_point_is_one_kind_and_random_vectors_are_none() -> None:
    assert divide(unit_rows(np.ones((20, 5)))).sizes == (20,)
    assert divide(unit_rows(np.ones((1, 5)))).n == 0
    rng = np.random.default_rng(1)
    assert all(divide(unit_rows(rng.normal(size=(48, 200)))).n == 0 for _ in range(20))
    assert [least(n) for n in (12, 30, 31, 48)] == [3, 3, 4, 5]


def test_a_huge_dimension_does_not_decide_who_is_alike() -> None:
    rng = np.random.default_rng(2)
    corpus = rng.normal(size=(500, 80))
    corpus[:, 0] = 1000 * (1 + rng.random(500))
    corpus[:, 1] = 7.0
    scale = Standardization.of(corpus)
    assert divide(scale.directions(corpus[:48])).n == 0
    assert divide(unit_rows(corpus[:48])).n == 1
    assert np.isfinite(scale.directions(np.full((3, 80), 7.0))).all(), "a dimension that never changes"


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
