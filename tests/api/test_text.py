"""``actmax.maximize`` over real tokens: against the model run by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from tests.api.text_search import INDEX, LAYER, MODEL, UNIT, search
from tests.search.planted import planted_problem
from tests.tiny import tiny_net, tiny_tokenizer

from actmax.api.corpus_starts import corpus_starts
from actmax.api.maximize import maximize
from actmax.api.methods import method_of
from actmax.api.reference import corpus_maximum
from actmax.api.tokens import NothingFoundError, maximize_tokens
from actmax.atlas.scale import known_scale, unit_scale
from actmax.corpus.corpus import open_corpus
from actmax.errors import ActmaxError
from actmax.models.load import wrap
from actmax.models.sites import resolve
from actmax.results.run import Along
from actmax.results.schema import schema_of
from actmax.search.settings import SearchSettings

pytestmark = pytest.mark.usefixtures("cache")


def along_by_hand(
    ids: tuple[int, ...], before: tuple[int, ...] = (0,), after: tuple[int, ...] = ()
) -> list[float]:
    """The unit at every searched token and the suffix, by transformers alone."""
    whole = torch.tensor([[*before, *ids, *after]])
    with torch.no_grad():
        hidden = MODEL.net(input_ids=whole, output_hidden_states=True).hidden_states[LAYER]
    values: list[float] = hidden[0, len(before) :, INDEX].tolist()
    return values


def nats_by_hand(ids: tuple[int, ...]) -> float:
    whole = torch.tensor([[0, *ids]])
    with torch.no_grad():
        return float(MODEL.net(input_ids=whole, labels=whole).loss)


def agrees(row: Along | None, values: list[float], where: str | int) -> float:
    """That the unit along a text is what transformers gives; the activation that follows from it."""
    assert row is not None
    assert len(row.tokens) == len(row.activations) == len(values)
    read = [value for value in row.activations if math.isfinite(value)]
    for told, value in zip(row.activations, values, strict=True):
        assert math.isnan(told) or told == pytest.approx(value, rel=1e-4, abs=1e-5)
    if where == "mean":
        assert row.read is None
        return sum(read) / len(read)
    assert row.read is not None
    if where == "last":
        assert row.read == len(values) - 1
    if where == "max":
        assert row.activations[row.read] == max(read)
    return row.activations[row.read]


@pytest.mark.parametrize("where", ["last", "mean", "max"])
@pytest.mark.parametrize("method", ["random", "gcg", "hybrid"])
def test_every_number_is_what_the_model_gives(corpus: str, method: str, where: Any) -> None:
    found = search(corpus, method, positions=where)
    assert (found.method, found.positions, found.unit) == (method, where, UNIT)
    assert found.complete
    assert found.cost.sequences_scored == 60
    assert found.frontier
    for run in found.runs:
        reached = agrees(run.along, along_by_hand(run.ids), where)
        assert run.activation_final == run.activation_of_ids == pytest.approx(reached, rel=1e-4)
        assert run.cross_entropy == pytest.approx(nats_by_hand(run.ids), rel=1e-3)
        again = MODEL.tokenizer.encode(run.text, add_special_tokens=False)
        assert run.retokenizes == (tuple(again) == run.ids)
        assert list(run.tokens) == [MODEL.tokenizer.decode([i]) for i in run.ids]
        assert run.along is not None
        assert run.along.tokens == run.tokens
    for one in (*found.frontier, *found.solutions):
        assert one.activation == pytest.approx(agrees(one.along, along_by_hand(one.ids), where), rel=1e-4)
        assert one.cross_entropy == pytest.approx(nats_by_hand(one.ids), rel=1e-3)
    assert found.best.activation == max(run.activation_final for run in found.runs)
    assert found.solutions[0].activation == found.best.activation
    for better, worse in zip(found.frontier, found.frontier[1:], strict=False):
        assert better.activation > worse.activation
        assert better.cross_entropy > worse.cross_entropy


def test_the_suffix_is_shown_and_read(corpus: str) -> None:
    found = search(corpus, prefix="dog", suffix=" the cat")
    before = (0, *MODEL.tokenizer.encode("dog", add_special_tokens=False))
    after = tuple(MODEL.tokenizer.encode(" the cat", add_special_tokens=False))
    run = found.best_run
    reached = agrees(run.along, along_by_hand(run.ids, before, after), "last")
    assert run.activation_final == pytest.approx(reached, rel=1e-4)
    assert run.along is not None
    assert run.along.tokens == run.tokens + tuple(MODEL.tokenizer.decode([i]) for i in after)


def test_what_is_not_read_is_left_out(corpus: str) -> None:
    """Without BOS position 0 of the whole sequence may not be read; asked for, it may."""
    found = search(corpus, bos="never", positions="mean")
    run = found.best_run
    assert run.along is not None
    assert math.isnan(run.along.activations[0])
    values = along_by_hand(run.ids, before=())
    assert run.activation_final == pytest.approx(agrees(run.along, values, "mean"), rel=1e-4)
    asked = search(corpus, bos="never", positions="mean", include_sinks=True).best_run
    assert asked.along is not None
    assert all(math.isfinite(value) for value in asked.along.activations)
    assert asked.activation_final == pytest.approx(sum(along_by_hand(asked.ids, before=())) / 4, rel=1e-4)


def test_minimising(corpus: str) -> None:
    low, high = (search(corpus, "gcg", minimize=sign) for sign in (True, False))
    assert low.minimize
    assert low.best.activation < high.best.activation
    assert low.best.activation == min(run.activation_final for run in low.runs)
    assert low.corpus_maximum is not None
    assert high.corpus_maximum is not None
    assert low.corpus_maximum.value < high.corpus_maximum.value
    activations = [one.activation for one in low.frontier]
    assert activations == sorted(activations)


def test_each_position_is_a_search_of_its_own(corpus: str) -> None:
    found = search(corpus, positions="each", budget=80, suffix=" sea")
    after = tuple(MODEL.tokenizer.encode(" sea", add_special_tokens=False))
    n = 4 + len(after)
    assert found.positions == "each"
    assert [run.position for run in found.runs] == list(range(n))
    assert [run.restart for run in found.runs] == list(range(n))
    share = 80 // n
    assert found.cost.sequences_scored == n * share <= 80
    for run in found.runs:
        assert run.position is not None
        assert run.along is not None
        assert run.along.read == run.position
        values = along_by_hand(run.ids, after=after)
        assert run.activation_final == pytest.approx(values[run.position], rel=1e-4)
        steps = run.trajectory.step
        assert run.restart * share < steps[0] <= steps[-1] <= (run.restart + 1) * share
    assert found.best.activation == max(run.activation_final for run in found.runs)
    assert found.best_run.position == found.best.restart
    alone = search(corpus, positions=2, budget=share, suffix=" sea")
    assert alone.positions == "2"
    assert alone.best_run.ids == found.runs[2].ids
    data = found.to_json()
    jsonschema.Draft202012Validator(schema_of("maximize")).validate(data)
    assert {run["position"] for run in data["runs"]} == set(range(n))


def test_each_position_with_restarts(corpus: str) -> None:
    found = search(corpus, positions="each", budget=80, restarts=2)
    assert [run.position for run in found.runs] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [run.restart for run in found.runs] == list(range(8))


def test_what_the_corpus_gives(corpus: str) -> None:
    found = search(corpus)
    known = corpus_starts(MODEL, resolve(MODEL, UNIT), length=4, n=16, corpus=corpus)
    assert found.corpus_maximum == known.extreme
    assert found.manifest.corpus_sha256 == known.extreme.sha256
    assert known.extreme.corpus != "wikipedia-excerpt"
    assert all(len(row) == 4 for row in known.rows)
    strongest = max(along_by_hand(row)[-1] for row in known.rows)
    assert strongest <= known.extreme.value + 1e-3 or len(known.rows[0]) == 4
    assert search(corpus, starts=0).corpus_maximum is None
    also = search(corpus, also=[(0.5, "hidden_states.2:3")])
    assert also.corpus_maximum is None, "the sum of two units was not observed"
    assert "0.5 · hidden_states.2:3" in also.objective


def test_a_reading_that_is_there_is_not_made_again(corpus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = corpus_starts(MODEL, resolve(MODEL, UNIT), length=4, n=16, corpus=corpus)
    monkeypatch.setattr("actmax.api.tokens_problem.corpus_starts", None)
    settings = SearchSettings(length=4, budget=60)
    found = maximize_tokens(MODEL, UNIT, method_of("random", settings), settings, known=known)
    assert found.corpus_maximum == known.extreme


def test_soft_optima_are_measured_against_the_corpus(corpus: str) -> None:
    plain = maximize(MODEL, UNIT, steps=3)
    assert plain.corpus_maximum is None, "nothing is read unless asked"
    unit = resolve(MODEL, UNIT)
    for minimize in (False, True):
        found = maximize(MODEL, UNIT, steps=3, corpus=corpus, minimize=minimize)
        extreme = corpus_starts(MODEL, unit, length=4, n=1, corpus=corpus, minimize=minimize).extreme
        assert (
            found.corpus_maximum == extreme == corpus_maximum(MODEL, unit, minimize=minimize, corpus=corpus)
        )
        assert found.manifest.corpus_sha256 == extreme.sha256
        assert "corpus" not in found.settings
        jsonschema.Draft202012Validator(schema_of("maximize")).validate(found.to_json())


def test_an_earlier_reading_is_remembered(corpus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the default corpus, which stands here for a small one."""
    model = wrap(tiny_net("llama"), tiny_tokenizer(), name="known")
    model = replace(model, source=replace(model.source, revision="0" * 40))
    unit = resolve(model, UNIT)
    monkeypatch.setattr("actmax.atlas.scale.is_fetched", lambda asset: True)
    opened: list[str] = []

    def instead(name: str, *given: Any, **more: Any) -> Any:
        opened.append(name)
        return open_corpus(corpus, *given, **more)

    monkeypatch.setattr("actmax.atlas.scale.open_corpus", instead)
    assert known_scale(model, unit) is None
    assert opened == [], "nothing is known of the unit, so the corpus is not even opened"
    measured = unit_scale(model, unit)
    assert known_scale(model, unit) == measured
    found = maximize(model, UNIT, steps=2)
    assert found.corpus_maximum == measured.extreme()


def test_samples_differ_in_content(corpus: str) -> None:
    found = search(corpus, "gcg", samples=3, budget=200)
    assert 1 < len(found.solutions) <= 3
    assert len({one.ids for one in found.solutions}) == len(found.solutions)
    values = [one.activation for one in found.solutions]
    assert values == sorted(values, reverse=True)
    assert all(one.along is not None for one in found.solutions)


def test_the_limit_of_nats_holds_or_is_said_to_be_too_low(corpus: str) -> None:
    free = search(corpus, "gcg", budget=120)
    limit = sorted(one.cross_entropy for one in free.frontier)[0] + 0.5
    found = search(corpus, "gcg", budget=120, max_cross_entropy=limit)
    assert found.best_run.cross_entropy <= limit
    assert f"at most {limit:g} nats per token" in found.objective
    with pytest.raises(
        NothingFoundError, match=r"Nothing that gcg scored .* raise --max-cross-entropy above 0\.01"
    ):
        search(corpus, "gcg", max_cross_entropy=0.01)


def test_stopped_in_the_middle(corpus: str) -> None:
    def stop(at: Any) -> None:
        if at.index >= 20:
            raise KeyboardInterrupt

    found = search(corpus, "gcg", on_step=stop)
    assert not found.complete
    assert 20 <= found.cost.sequences_scored < 60
    each = search(corpus, "gcg", positions="each", budget=240, on_step=stop)
    assert not each.complete
    assert each.runs[-1].position is not None
    assert each.runs[-1].position < 3


def test_a_journal_answers_the_second_time(corpus: str, tmp_path: Path) -> None:
    def stop(at: Any) -> None:
        if at.index >= 30:
            raise KeyboardInterrupt

    search(corpus, "gcg", on_step=stop, resume=tmp_path)
    resumed, whole = search(corpus, "gcg", resume=tmp_path), search(corpus, "gcg")
    assert resumed.runs == whole.runs
    assert resumed.frontier == whole.frontier
    with pytest.raises(ActmaxError, match="was written with method"):
        search(corpus, "random", resume=tmp_path)


def test_the_planted_phrase_is_found_and_ringed(corpus: str) -> None:
    problem, ids = planted_problem()
    found = maximize(
        problem.model, "blocks.0.mlp.hook_post:0", method="hybrid", length=3, budget=1536, corpus=corpus
    )
    assert found.best_run.ids == ids
    assert found.best.text == "the cat sat"
    assert found.best_run.along is not None
    assert found.best_run.along.read == 2
    assert max(found.best_run.along.activations) == found.best_run.along.activations[2]
