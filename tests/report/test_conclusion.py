"""Each rule of the conclusion, from numbers that meet it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.results.example import soft_result, token_result

from actmax.report.conclusion import conclusion
from actmax.results.maximize import MaximizeResult
from actmax.results.run import RandomTokens

CHANCE = RandomTokens(1000, 0.62, 0.65, 2.98, (-1.5, 0.6, 2.98))


def soft(decoded: tuple[float, ...], best: float = 234.0, *, minimize: bool = False) -> MaximizeResult:
    made = soft_result(restarts=len(decoded), steps=4, vocab=50)
    runs = tuple(
        replace(run, activation_of_ids=value, activation_final=best)
        for run, value in zip(made.runs, decoded, strict=True)
    )
    return replace(
        made, runs=runs, best=replace(made.best, activation=best), random_tokens=CHANCE, minimize=minimize
    )


def test_the_measured_paradox() -> None:
    assert conclusion(soft((0.5, 0.64))) == (
        "Gradient ascent on soft vectors reached 234; the nearest real tokens give 0.57 on average over "
        "2 restarts, no more than random tokens (mean 0.62, best of 1,000: 2.98): these tokens do not "
        "explain the unit."
    )


@pytest.mark.parametrize(
    ("decoded", "best", "end"),
    [
        ((0.5,), 2.9, "not even free vectors move this unit."),
        ((0.62 + 2 * 0.65 - 0.01,), 234.0, "these tokens do not explain the unit."),
        ((0.62 + 2 * 0.65 + 0.01,), 234.0, "these tokens explain little of the unit."),
        ((3.0, 2.0), 234.0, "these tokens explain a part of it."),
        ((117.0, 0.0), 234.0, "these tokens explain a part of it."),
        ((118.0, 0.0), 234.0, "these tokens explain most of it."),
        ((float("nan"),), 234.0, "no finite activation on the nearest real tokens."),
        ((0.5,), float("nan"), "nothing was found."),
    ],
)
def test_each_rule(decoded: tuple[float, ...], best: float, end: str) -> None:
    assert conclusion(soft(decoded, best)).endswith(end)


def test_minimising_looks_the_other_way() -> None:
    assert conclusion(soft((-0.5,), -200.0, minimize=True)).endswith("these tokens do not explain the unit.")
    low = conclusion(soft((-150.0,), -200.0, minimize=True))
    assert low.startswith("Gradient descent on soft vectors reached −200")
    assert "best of 1,000: −1.50" in low
    assert low.endswith("these tokens explain most of it.")


def test_tokens_against_chance_and_real_text() -> None:
    found = replace(token_result(), random_tokens=CHANCE)
    share = "gives 7.40, 66 % of the best in 391,000 tokens of wikipedia-excerpt (11.2), more than"
    assert share in conclusion(found)
    nothing = replace(found, best=replace(found.best, activation=2.0))
    assert conclusion(nothing).endswith("the search found nothing that chance does not.")
    assert conclusion(replace(found, random_tokens=None, corpus_maximum=None)).endswith("gives 7.40.")
