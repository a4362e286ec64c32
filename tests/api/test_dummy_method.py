"""A new method is one file: it is listed, run, compared, saved and drawn like those that are shipped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tiny import tiny_model

import actmax
from actmax.search import methods as folder
from actmax.search import names, registry

pytestmark = pytest.mark.usefixtures("cache")

OVER_TOKENS = '''
"""First: the allowed tokens in their order.

1. Score rows of one token, repeated.
2. Keep the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge

from actmax.search.method import Method, Step, Steps
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer


@dataclass(frozen=True, kw_only=True)
class First(Method):
    """The allowed tokens in their order."""

    name: ClassVar[str] = "first"

    batch: Annotated[int, Ge(1)] = 16
    """Rows at once."""

    def search(self, scorer: Scorer, problem: Problem, rng: torch.Generator) -> Steps:
        """Score until none are left."""
        for index, ids in enumerate(problem.tokens.allowed.ids.split(self.batch)):
            rows = ids[:, None].expand(-1, problem.tokens.length)
            scored = scorer.ids(rows)
            yield Step(index, tuple(map(tuple, rows.tolist())), tuple(scored.scores.tolist()))
        return "every token was tried"
'''


@pytest.fixture
def dummy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    place = tmp_path / "methods"
    place.mkdir()
    (place / "first.py").write_text(OVER_TOKENS)
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(place)])
    caches = (registry.methods, names.hyperparameters)
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


@pytest.mark.usefixtures("dummy")
def test_a_method_is_one_file(tmp_path: Path) -> None:
    assert "first" in registry.token_methods()
    assert [one.name for one in names.hyperparameters()["first"]] == ["batch"]
    model = tiny_model("llama")
    settings = {"length": 3, "budget": 60, "starts": 0, "reachable": False}
    found = actmax.maximize(model, "hidden_states.2:9 - 0.5*hidden_states.2:3", method="first", **settings)  # type: ignore[arg-type]
    assert (found.method, found.settings["batch"]) == ("first", 16)
    assert len(set(found.best_run.ids)) == 1
    found.save(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "result.json").read_text())["method"] == "first"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "first" in page
    assert "hidden_states.2:9" in page
    method = registry.method_class("first")(batch=7)  # type: ignore[call-arg]
    again = actmax.maximize(model, "hidden_states.2:9", method=method, **settings)  # type: ignore[arg-type]
    assert again.settings["batch"] == 7
    both = actmax.compare(model, "hidden_states.2:9", ["first", "random"], **settings)  # type: ignore[arg-type]
    assert [one.method for one in both.results] == ["first", "random"]
