"""From a unit to a verdict, with known answers on a tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.tiny import tiny_model

from actmax.api.maximize import maximize
from actmax.api.reproduce import reproduce
from actmax.errors import ActmaxError
from actmax.progress import Counted
from actmax.results.reproduce import ReproduceResult
from actmax.results.schema import schema_of


def test_a_linear_unit_with_a_penalty_has_one_optimum_and_all_runs_find_it() -> None:
    result = reproduce(tiny_model(), "hook_embed:3", runs=4, length=3, steps=600, lr=0.05, l2=0.1)
    assert result.verdict == "same point"
    matched = result.number("cosine_matched")
    assert matched.value > 0.99
    assert abs(matched.controls[0].value) < 0.7
    assert result.number("unique_tokens").value == 1


def test_runs_that_take_no_step_are_different_solutions() -> None:
    result = reproduce(tiny_model(), "hidden_states.2:5", runs=4, length=3, steps=0)
    assert result.verdict == "different solutions"
    ratio = result.number("participation_ratio")
    assert ratio.value == pytest.approx(ratio.controls[0].value)


def test_every_number_has_words_n_and_a_control_and_the_files_come_back(tmp_path: Path) -> None:
    result = reproduce(tiny_model(), "hidden_states.2:5", runs=3, length=3, steps=4)
    for number in result.numbers:
        assert number.says.endswith((".", "?"))
        assert number.n > 0
        assert str(number.n) in number.says
        assert number.controls
    jsonschema.validate(result.to_json(), schema_of("reproduce"))
    result.save(tmp_path)
    again = ReproduceResult.load(tmp_path)
    assert again.to_json() == result.to_json()
    page = (tmp_path / "report.html").read_text()
    assert result.verdict in page
    assert 'href="#method-reproducibility"' in page
    assert 'id="method-reproducibility"' in page


def test_mistakes_are_sentences() -> None:
    model = tiny_model()
    with pytest.raises(ActmaxError, match="at least 2"):
        reproduce(model, "hidden_states.2:5", runs=1)
    with pytest.raises(ActmaxError, match="no method 'sift'"):
        reproduce(model, "hidden_states.2:5", method="sift")


def test_an_interruption_keeps_what_was_done() -> None:
    def stop(stage: str, done: int, total: int | None, *, unit: Counted = "", note: str = "") -> None:
        if done == 3:
            raise KeyboardInterrupt

    result = reproduce(tiny_model(), "hidden_states.2:5", runs=3, length=3, steps=9, progress=stop)
    assert not result.complete
    assert result.settings["steps_done"] == 3


@pytest.fixture
def brief(tmp_path: Path) -> dict[str, Any]:
    text = "the cat sat on the mat and the dog ran to the sea where a red ship was waiting. " * 6
    (tmp_path / "corpus.txt").write_text(text, encoding="utf-8")
    return {"method": "random", "length": 3, "budget": 40, "corpus": str(tmp_path / "corpus.txt")}


def test_a_token_method_is_compared_with_random_tokens_and_an_unrelated_unit(brief: dict[str, Any]) -> None:
    model = tiny_model()
    result = reproduce(model, "hidden_states.2:5", runs=3, seed=4, **brief)
    assert result.complete
    assert len(result.unrelated) == 1
    assert any(run.ids != result.runs[0].ids for run in result.runs)
    for k, run in enumerate(result.runs):
        alone = maximize(model, "hidden_states.2:5", seed=4 + k, **brief)
        assert run.ids == alone.best_run.ids, "each run has its seed"
    unique = result.number("unique_tokens")
    assert unique.value == len({one for run in result.runs for one in run.ids})
    labels = [control.label for control in unique.controls]
    assert labels == ["random tokens", "an unrelated unit, as many runs"]
    assert "random tokens" in result.conclusion[0]
    without = reproduce(model, "hidden_states.2:5", runs=2, unrelated=0, **brief)
    assert [control.label for control in without.number("unique_tokens").controls] == ["random tokens"]


def test_an_interruption_keeps_the_runs_of_a_token_method_that_are_done(brief: dict[str, Any]) -> None:
    def stop(stage: str, done: int, total: int | None, *, unit: Counted = "", note: str = "") -> None:
        if "run 3" in note:
            raise KeyboardInterrupt

    result = reproduce(tiny_model(), "hidden_states.2:5", runs=5, progress=stop, **brief)
    assert not result.complete
    assert len(result.runs) == 2
    assert result.unrelated == ()

    def at_once(stage: str, done: int, total: int | None, *, unit: Counted = "", note: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(tiny_model(), "hidden_states.2:5", runs=5, progress=at_once, **brief)
