"""Observation against brute force, with planted units and planted sinks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from tests.tiny import tiny_model, tiny_net, tiny_tokenizer

from actmax.api.observe import observe
from actmax.corpus import reading
from actmax.corpus.token_text import token_text
from actmax.corpus.tokens import Tokens, tokens_of_texts
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.models.load import wrap
from actmax.models.model import Model
from actmax.models.read import read as really_read
from actmax.results.observe import ObserveResult
from actmax.results.rendering import use_renderer
from actmax.results.schema import schema_of

TEXTS = [
    "the cat sat on the mat and the dog ran to the sea",
    "a red ship was waiting for the tide",
    "the cat sat on the mat",
    "éàü 😀 and the sea " * 6,
    "x",
]


def tokens_of(texts: list[str]) -> Tokens:
    return tokens_of_texts(texts, tiny_tokenizer())


def brute_force(model: Model, windows: Windows, unit: str) -> list[tuple[float, int, int, int]]:
    """(activation, corpus position, window, token) of each kept position, one window at a time."""
    index = int(unit.split(":")[1])
    layer = int(unit.split(".")[1].split(":")[0])
    found, norms = [], []
    for row in range(windows.n_windows):
        batch = windows.batch(row, row + 1)
        n = int((batch.where[0] >= 0).sum()) + int(windows.bos is not None)
        with torch.no_grad():
            out = model.net(input_ids=batch.ids[:, :n], output_hidden_states=True)
        states = out.hidden_states[layer][0].double().numpy()
        for place in range(1, n):
            norms.append(np.linalg.norm(states[place]))
            where = int(batch.where[0, place])
            found.append((float(states[place, index]), where, row, int(batch.ids[0, place])))
    kept = np.asarray(norms) <= 5 * np.median(norms)
    return [item for item, keep in zip(found, kept, strict=True) if keep]


@pytest.mark.parametrize("bos", [None, 0])
@pytest.mark.parametrize("at_once", [1, 3])
def test_everything_equals_brute_force(bos: int | None, at_once: int) -> None:
    model = tiny_model()
    windows = windows_of(tokens_of(TEXTS), length=8, bos=bos)
    result = observe(
        model, "hidden_states.2:7", corpus=windows, top=6, all_examples=True, windows_at_once=at_once
    )
    (seen,) = result.units
    expected = brute_force(model, windows, "hidden_states.2:7")
    values = np.asarray([item[0] for item in expected])
    assert seen.count == len(values)
    for name, value in {
        "mean": values.mean(),
        "std": values.std(),
        "min": values.min(),
        "max": values.max(),
        "density": (values > 0).mean(),
    }.items():
        assert getattr(seen, name) == pytest.approx(value, rel=1e-4, abs=1e-4), name
    counts, edges = np.histogram(values, bins=100)
    np.testing.assert_allclose(seen.histogram.edges, edges, rtol=1e-4, atol=1e-4)
    assert sum(seen.histogram.counts) == len(values)
    assert np.abs(np.cumsum(seen.histogram.counts) - np.cumsum(counts)).max() <= 1
    ranked = sorted(expected, key=lambda item: (-item[0], item[1]))
    assert [example.where for example in seen.top] == [item[1] for item in ranked[:6]]
    ranked = sorted(expected, key=lambda item: (item[0], item[1]))
    assert [example.where for example in seen.bottom] == [item[1] for item in ranked[:6]]
    for level in seen.quantiles:
        assert level.value == pytest.approx(np.quantile(values, level.quantile), rel=1e-4, abs=1e-4)
    best: dict[int, tuple[float, int]] = {}
    for value, _, row, token in expected:
        if row not in best or value > best[row][0]:
            best[row] = (value, token)
    winners = Counter(token for _, token in best.values())
    assert {winner.id: winner.count for winner in seen.top_tokens} == dict(winners)
    assert sum(winner.share for winner in seen.top_tokens) == pytest.approx(1)
    assert seen.windows == len(best)


def test_examples_say_where_they_are() -> None:
    model = tiny_model()
    windows = windows_of(tokens_of(TEXTS), length=8, bos=0)
    (seen,) = observe(model, "blocks.1.mlp.hook_post:5", corpus=windows, all_examples=True, context=3).units
    for example in (*seen.top, *seen.bottom, *(e for level in seen.quantiles for e in level.examples)):
        place = windows.locate(example.where)
        assert (example.document, example.offset) == (place.document, place.offset)
        assert example.document_name == f"document {place.document}"
        text = TEXTS[place.document]
        before, stretch, after = windows.context(example.where, 3, 3)
        assert (example.text_before, example.text_after) == (before, after)
        assert before + stretch + after in text
        assert example.tokens[example.peak] == example.token
        assert np.float32(example.values[example.peak]) == np.float32(example.activation)
        assert len(example.tokens) == len(example.values) <= 7
        if "<0x" not in example.token:
            assert text[example.offset :].startswith(example.token)


def embedding(net: Any) -> torch.Tensor:
    weight: torch.Tensor = net.get_input_embeddings().weight.data
    return weight


def planted(token: str) -> tuple[Model, int]:
    """A model whose embedding has ten at dimension 5 for one token and nothing there for the others."""
    net = tiny_net()
    (wanted,) = tiny_tokenizer().encode(token, add_special_tokens=False)
    weight = embedding(net)
    weight[:, 5] = 0
    weight[wanted, 5] = 10
    return wrap(net, tiny_tokenizer(), "planted"), int(wanted)


def test_a_planted_unit_has_its_tokens_occurrences_at_the_top() -> None:
    model, wanted = planted(" cat")
    windows = windows_of(tokens_of([f"{text} cat and a cat" for text in TEXTS]), length=16, bos=0)
    (seen,) = observe(model, "hook_embed:5", corpus=windows, top=100, all_examples=True).units
    places = np.flatnonzero(windows.tokens.ids == wanted)
    assert [example.where for example in seen.top[: len(places)]] == places.tolist()
    assert {example.token for example in seen.top[: len(places)]} == {" cat"}
    assert seen.density == pytest.approx(len(places) / seen.count)
    ids = windows.batch(0, windows.n_windows).ids
    (won,) = (winner for winner in seen.top_tokens if winner.token == " cat")
    assert won.count == int((ids == wanted).any(dim=1).sum())


def test_one_example_a_document_and_a_context() -> None:
    model, _ = planted(" cat")
    windows = windows_of(tokens_of(["a cat", "a cat", "the cat and a cat", "no"]), length=16, bos=0)
    (seen,) = observe(model, "hook_embed:5", corpus=windows, top=10).units
    cats = [example for example in seen.top if example.activation == 10]
    assert [example.document for example in cats] == [0, 2]
    assert len({example.document for example in seen.top}) == len(seen.top)
    (every,) = observe(model, "hook_embed:5", corpus=windows, top=4, all_examples=True).units
    assert [example.document for example in every.top] == [0, 1, 2, 2]


def with_sink(token: str) -> Model:
    """A model in which one token carries a huge embedding."""
    net = tiny_net()
    (wanted,) = tiny_tokenizer().encode(token, add_special_tokens=False)
    embedding(net)[wanted] *= 1000
    return wrap(net, tiny_tokenizer(), "sink")


def test_sinks_are_left_out_counted_and_kept_when_asked() -> None:
    model = with_sink(" cat")
    texts = [f"{text} cat and the sea and the dog and the sea" for text in TEXTS]
    windows = windows_of(tokens_of(texts), length=64, bos=0)
    (wanted,) = tiny_tokenizer().encode(" cat", add_special_tokens=False)
    n = int((windows.tokens.ids == wanted).sum())
    (seen,) = observe(model, "hidden_states.1:3", corpus=windows, all_examples=True, context=60).units
    read = windows.n_tokens + windows.n_windows
    assert seen.excluded.sinks.count == n
    assert seen.excluded.sinks.share == pytest.approx(n / read)
    assert seen.excluded.position_0.count == windows.n_windows
    assert seen.count + n + windows.n_windows == read
    assert " cat" not in {example.token for example in (*seen.top, *seen.bottom)}
    dotted = [
        (token, np.isnan(value))
        for example in seen.top
        for token, value in zip(example.tokens, example.values, strict=True)
    ]
    assert all((token == " cat") == nan for token, nan in dotted)
    (kept,) = observe(model, "hidden_states.1:3", corpus=windows, include_sinks=True, all_examples=True).units
    assert kept.excluded.sinks.count == 0
    assert kept.count == windows.n_tokens
    assert {example.token for example in kept.top + kept.bottom} >= {" cat"}


def test_position_0_counts_without_bos_only_when_asked() -> None:
    windows = windows_of(tokens_of(TEXTS), length=8)
    (seen,) = observe(tiny_model(), "hook_embed:3", corpus=windows).units
    assert seen.excluded.position_0.count == windows.n_windows
    assert seen.count == windows.n_tokens - windows.n_windows
    (kept,) = observe(tiny_model(), "hook_embed:3", corpus=windows, include_sinks=True).units
    assert kept.excluded.position_0.count == 0
    assert kept.count == windows.n_tokens


def test_logits_and_directions_are_units_too(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    vector = torch.zeros(32)
    vector[7] = 2.0
    save_file({"v": vector}, tmp_path / "v.safetensors")
    windows = windows_of(tokens_of(TEXTS), length=8, bos=0)
    names = ["unembed.hook_logits:9", f"hidden_states.2:@{tmp_path}/v.safetensors", "hidden_states.2:7"]
    logits, direction, index = observe(tiny_model(), names, corpus=windows).units
    assert logits.site == "unembed.hook_logits"
    assert direction.index is None
    assert [example.where for example in direction.top] == [example.where for example in index.top]
    assert direction.max == pytest.approx(index.max, rel=1e-5)


def test_ctrl_c_keeps_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = windows_of(tokens_of(TEXTS), length=8, bos=0)
    model = tiny_model()
    calls = 0
    read = really_read

    def stops(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return read(*arguments, **options)

    monkeypatch.setattr(reading, "read", stops)
    result = observe(model, "hidden_states.2:7", corpus=windows, windows_at_once=2)
    assert not result.complete
    assert result.corpus.windows == 4
    part = Windows(windows.tokens, 8, 0, windows.chosen[:4])
    monkeypatch.setattr(reading, "read", read)
    whole = observe(model, "hidden_states.2:7", corpus=part, windows_at_once=2)
    assert whole.units == result.units
    assert whole.corpus == result.corpus
    calls = 2
    monkeypatch.setattr(reading, "read", stops)
    with pytest.raises(KeyboardInterrupt):
        observe(model, "hidden_states.2:7", corpus=windows)


def test_the_result_comes_back_from_disk(tmp_path: Path) -> None:
    use_renderer("actmax.observe/1", "actmax.report.observe")
    windows = windows_of(tokens_of(TEXTS), length=8, bos=0)
    result = observe(tiny_model(), ["hidden_states.2:7", "hook_embed:1"], corpus=windows, top=3)
    result.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "report.html", "result.json"]
    again = ObserveResult.load(tmp_path)
    assert repr(again) == repr(result)  # NaN is not equal to itself
    assert again.unit("hook_embed:1").max == result.units[1].max
    with pytest.raises(ActmaxError, match="no unit"):
        again.unit("hook_embed:2")
    for frame in (again.to_pandas("units"), again.to_polars("units")):
        assert list(frame["unit"]) == ["hidden_states.2:7", "hook_embed:1"]
    assert len(again.to_pandas("examples")) == sum(len(unit.top) + len(unit.bottom) for unit in again.units)
    assert set(again.to_polars("tokens")["end"]) == {"top", "bottom"}
    assert "hidden_states.2:7" in again._repr_html_()


def test_the_contract_of_the_file() -> None:
    windows = windows_of(tokens_of(TEXTS), length=8, bos=0)
    data = observe(tiny_model(), "hidden_states.2:7", corpus=windows).to_json()
    assert data["schema"] == "actmax.observe/1"
    jsonschema.Draft202012Validator(schema_of("observe")).validate(data)
    assert {"model", "corpus", "units"} <= data.keys()
    assert {"name", "sha256", "tokens"} <= data["corpus"].keys()
    (unit,) = data["units"]
    statistics = {
        "unit",
        "count",
        "mean",
        "std",
        "min",
        "max",
        "density",
        "histogram",
        "top",
        "bottom",
        "top_tokens",
    }
    assert statistics <= unit.keys()
    assert unit["histogram"].keys() == {"edges", "counts"}
    example = {"activation", "token", "text_before", "text_after", "document", "offset"}
    assert all(example <= item.keys() for item in unit["top"] + unit["bottom"])
    assert all({"token", "count"} <= item.keys() for item in unit["top_tokens"])


def test_what_makes_no_sense_is_refused() -> None:
    model = tiny_model()
    windows = windows_of(tokens_of(TEXTS), length=8, bos=0)
    with pytest.raises(ActmaxError, match="top must be at least 1"):
        observe(model, "hidden_states.2:7", corpus=windows, top=0)
    with pytest.raises(ActmaxError, match="context must be at least 0"):
        observe(model, "hidden_states.2:7", corpus=windows, context=-1)
    with pytest.raises(ActmaxError, match="No unit"):
        observe(model, [], corpus=windows)
    with pytest.raises(ActmaxError, match="--window 64"):
        observe(model, "hidden_states.2:7", corpus=windows_of(tokens_of(TEXTS), length=65))
    with pytest.raises(ActmaxError, match="No position"):
        observe(model, "hidden_states.2:7", corpus=windows_of(tokens_of(["x"]), length=8))


def test_activations_that_are_not_finite_are_a_sentence() -> None:
    net = tiny_net()
    model = wrap(net, tiny_tokenizer(), "wild")
    embedding(net).fill_(float("inf"))
    with pytest.raises(ActmaxError, match="not finite"):
        observe(model, "hidden_states.2:7", corpus=windows_of(tokens_of(TEXTS), length=8))


def test_tokens_have_names_even_when_they_are_no_text() -> None:
    tokenizer = tiny_tokenizer()
    ids = tokenizer.encode("a😀", add_special_tokens=False)
    assert [token_text(tokenizer, token) for token in ids] == ["a", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>"]
    assert token_text(tokenizer, 0) == "<s>"
    assert token_text(tokenizer, 10**6) == "<id 1000000>"
