"""``actmax.compare``: each method alone, what is missing, and mistakes."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from tests.api.text_search import MODEL, UNIT, search

import actmax
from actmax.api.tokens import NothingFoundError
from actmax.errors import ActmaxError
from actmax.results.schema import schema_of

pytestmark = pytest.mark.usefixtures("cache")


def test_a_comparison_is_each_method_alone(corpus: str) -> None:
    told: list[str] = []
    found = actmax.compare(
        MODEL,
        UNIT,
        ["random", "gcg", "text"],
        corpus=corpus,
        length=4,
        budget=60,
        on_result=lambda result: told.append(result.method),
    )
    assert [one.method for one in found.results] == told == ["random", "gcg", "hybrid"]
    assert found.complete
    for one in found.results:
        alone = search(corpus, one.method)
        assert one.runs == alone.runs
        assert one.frontier == alone.frontier
        assert one.corpus_maximum == alone.corpus_maximum == found.corpus_maximum
        assert one.manifest == found.manifest
    best = max(found.results, key=lambda one: one.best.activation)
    assert found.best_result is best
    assert found.corpus_maximum is not None
    assert found.ratio(best.best.activation) == pytest.approx(
        best.best.activation / found.corpus_maximum.value
    )
    jsonschema.Draft202012Validator(schema_of("compare")).validate(found.to_json())


def test_free_vectors_beside_tokens(corpus: str) -> None:
    """They have as many positions and are read in the same place; what their tokens give is compared."""
    found = actmax.compare(
        MODEL, UNIT, ["soft", "random"], corpus=corpus, length=4, budget=40, steps=30, lr=0.05
    )
    soft, random = found.results
    assert (soft.method, random.method) == ("soft-ascent", "random")
    assert soft.positions == random.positions == "last"
    assert soft.settings["length"] == 4
    assert soft.is_soft
    assert found.best_result is (random if random.best.activation > soft.best_run.activation_of_ids else soft)
    longer = actmax.compare(MODEL, UNIT, ["soft", "random"], corpus=corpus, budget=20, steps=1)
    assert longer.results[0].settings["length"] == longer.results[1].settings["length"] == 12


def test_a_method_that_finds_nothing_does_not_end_the_comparison(corpus: str) -> None:
    """Random rows of a tiny random model are unlikely; the limit lies where one of the methods gets to."""
    limits = [one.cross_entropy for one in search(corpus, "beam", budget=60).frontier]
    random = min(one.cross_entropy for one in search(corpus, "random", budget=60).frontier)
    limit = min(limits) + 1e-3
    assert limit < random - 0.2, "beam finds more probable text than random does"
    found = actmax.compare(
        MODEL, UNIT, ["random", "beam"], corpus=corpus, length=4, budget=60, max_cross_entropy=limit
    )
    assert [one.method for one in found.results] == ["beam"]
    assert [one.method for one in found.failed] == ["random"]
    assert "raise --max-cross-entropy" in found.failed[0].why
    with pytest.raises(NothingFoundError):
        actmax.compare(
            MODEL, UNIT, ["random", "gcg"], corpus=corpus, length=4, budget=20, max_cross_entropy=0.01
        )


def test_a_comparison_that_is_stopped(corpus: str) -> None:
    def stop(name: str, at: Any) -> None:
        if name == "gcg" and at.index >= 20:
            raise KeyboardInterrupt

    found = actmax.compare(
        MODEL, UNIT, ["random", "gcg", "beam"], corpus=corpus, length=4, budget=60, on_step=stop
    )
    assert not found.complete
    assert [(one.method, one.complete) for one in found.results] == [("random", True), ("gcg", False)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"methods": ["gcg"]}, "One method cannot be compared"),
        ({"methods": ["gcg", "gcg"]}, "The method gcg is named twice"),
        ({"methods": ["text", "hybrid"]}, "The method hybrid is named twice"),
        ({"methods": ["gcg", "hope"]}, "There is no method 'hope'"),
        ({"methods": ["gcg", "exhaustive"]}, "'exhaustive' searches one token; use --length 1"),
        ({"methods": ["gcg", "soft"], "positions": "each"}, "Free vectors are read as mean, last, max"),
        ({"budgets": 3}, "compare has no setting 'budgets'; the nearest are budget"),
        ({"steps": 3}, "None of the methods has a setting 'steps'"),
        ({"budget": 0}, "budget must be at least 1 .got 0"),
        ({"length": 0}, "length must be at least 1 .got 0"),
        ({"length": 65}, "reads at most 64"),
        ({"positions": 4}, "Position 4 is not one of those that are read; give 0 to 3"),
        ({"positions": "first"}, "Unknown positions 'first'; choose mean, last, max, each or a whole number"),
        ({"corpus": "no/such/place"}, "no/such/place"),
        ({"bos": "perhaps"}, "choose auto, always or never"),
        ({"max_cross_entropy": -1.0}, "max_cross_entropy must be more than 0 .got -1"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"chat": True}, "has no chat template"),
        ({"positions": "each", "budget": 3}, "less than one for each of 4 positions; raise --budget"),
    ],
)
def test_mistakes_are_found_before_any_search(corpus: str, settings: dict[str, Any], said: str) -> None:
    import jaxtyping

    def never(*_: Any) -> None:
        raise AssertionError("a search has begun")

    compare: Any = actmax.compare  # (with types as a user may get them wrong)
    call = {"methods": ["random", "gcg"], "corpus": corpus, "length": 4, "budget": 40} | settings
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(ActmaxError, match=said):
            compare(MODEL, UNIT, on_step=never, on_result=never, **call)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
