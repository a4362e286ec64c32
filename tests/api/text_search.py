"""What the tests of text search share: a tiny model, a unit, and a search."""

from __future__ import annotations

from typing import Any

from tests.tiny import tiny_model

from actmax.api.maximize import maximize
from actmax.results.maximize import MaximizeResult

MODEL = tiny_model("llama")
UNIT, LAYER, INDEX = "hidden_states.2:9", 2, 9


def search(corpus: str, method: str = "random", **settings: Any) -> MaximizeResult:
    return maximize(MODEL, UNIT, method=method, corpus=corpus, **({"length": 4, "budget": 60} | settings))
