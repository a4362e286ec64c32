"""Each rule of the conclusion, from numbers that meet it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.results.example import soft_result, token_result

from actmax.results.compare import CompareResult
from actmax.results.maximize import MaximizeResult
from actmax.results.run import RandomTokens


def conclusion(result: MaximizeResult) -> str:
    return " ".join(result.conclusion)


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


def test_tokens_against_real_text() -> None:
    found = token_result()
    share = "gives 7.40, 66 % of the best in 391,000 tokens of wikipedia-excerpt (11.2)."
    assert conclusion(found).endswith(share)
    assert conclusion(replace(found, corpus_maximum=None)).endswith("gives 7.40.")


def test_the_conclusion_is_in_the_file_and_follows_from_the_numbers(tmp_path: Path) -> None:
    found = token_result()
    found.save(tmp_path)
    place = tmp_path / "result.json"
    data = json.loads(place.read_text(encoding="utf-8"))
    assert data["conclusion"] == list(found.conclusion)
    for older in ({}, {"conclusion": ["What somebody wrote."]}):
        place.write_text(json.dumps({**data, **older} if older else _without(data)), encoding="utf-8")
        assert MaximizeResult.load(tmp_path).conclusion == found.conclusion
    both = CompareResult.of([found, replace(found, method="gcg")])
    assert both.to_json()["conclusion"] == list(both.conclusion)
    assert [one["conclusion"] for one in both.to_json()["results"]] == [list(found.conclusion)] * 2


def _without(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "conclusion"}
