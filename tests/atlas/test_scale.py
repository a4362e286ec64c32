"""The scale of units: known numbers, kept in the cache, an atlas asked first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import tiny_model, tiny_tokenizer

from actmax.api.observe import observe
from actmax.atlas import scale as module
from actmax.atlas.atlas import Atlas
from actmax.atlas.build import AtlasSettings, build_atlas
from actmax.atlas.scale import Scale, unit_scale, unit_scales
from actmax.cache import CACHE_VARIABLE
from actmax.corpus.reading import read_units
from actmax.corpus.tokens import tokens_of_texts
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.models.model import Model, Source

UNIT = "hidden_states.2:7"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "scales"


def windows() -> Windows:
    texts = ["the cat sat on the mat and the dog ran to the sea", "a red ship was waiting"]
    return windows_of(tokens_of_texts(texts, tiny_tokenizer()), length=8, bos=0)


def known_model() -> Model:
    return replace(tiny_model(), source=Source("directory", "tiny", sha256="abc"))


def test_it_is_what_an_observation_finds() -> None:
    found = unit_scale(known_model(), UNIT, corpus=windows())
    (seen,) = observe(known_model(), UNIT, corpus=windows()).units
    assert (found.maximum, found.minimum, found.mean, found.std) == (seen.max, seen.min, seen.mean, seen.std)
    assert found.n_tokens == seen.count
    assert found.percentiles["50"] == next(q.value for q in seen.quantiles if q.quantile == 0.5)
    assert (found.corpus, found.sha256) == ("texts", windows().tokens.text_sha256)


def test_the_second_time_nothing_is_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = unit_scales(known_model(), [UNIT, "hook_embed:3"], corpus=windows())
    assert len(list(cache.iterdir())) == 2

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("read again")

    read = read_units
    monkeypatch.setattr(module, "read_units", never)
    assert unit_scales(known_model(), ["hook_embed:3", UNIT], corpus=windows()) == first[::-1]
    with pytest.raises(AssertionError):
        unit_scale(known_model(), "hidden_states.2:8", corpus=windows())
    other = replace(known_model(), source=Source("directory", "tiny", sha256="other"))
    with pytest.raises(AssertionError):
        unit_scale(other, UNIT, corpus=windows())
    monkeypatch.setattr(module, "read_units", read)
    for path in cache.iterdir():
        path.write_text("{ damaged")
    assert unit_scale(known_model(), UNIT, corpus=windows()) == first[0]


def test_a_model_without_identity_is_not_cached(cache: Path) -> None:
    unit_scale(tiny_model(), UNIT, corpus=windows())
    assert not cache.exists()


def test_an_atlas_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = known_model()
    settings = AtlasSettings(sites=("blocks.*.hook_resid_post",), top=2)
    build_atlas(model, windows(), tmp_path / "atlas", settings)
    atlas = Atlas.open(tmp_path / "atlas")
    fresh = unit_scale(model, UNIT, corpus=windows())
    reads: list[int] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        reads.append(len(arguments[1]))
        return read_units(*arguments, **options)

    monkeypatch.setattr(module, "read_units", counted)
    found, other = unit_scales(model, [UNIT, "hook_embed:3"], corpus=windows(), atlas=atlas)
    assert reads == [1]
    assert (found.maximum, found.minimum) == pytest.approx((fresh.maximum, fresh.minimum), rel=1e-5)
    assert found.mean == pytest.approx(fresh.mean, rel=1e-4)
    assert (found.unit, found.n_tokens, found.sha256) == (UNIT, fresh.n_tokens, fresh.sha256)
    assert other.unit == "hook_embed:3"
    with pytest.raises(ActmaxError, match="other weights"):
        unit_scale(tiny_model(), UNIT, corpus=windows(), atlas=atlas)


def test_ratios_know_their_side() -> None:
    given = Scale("u", 4.0, -2.0, 0.0, 1.0, {}, 10, "c", "hash")
    assert given.ratio(10.0) == 2.5
    assert given.ratio(-3.0, minimize=True) == 1.5
    assert replace(given, maximum=-1.0).ratio(10.0) is None
    assert given.extreme(minimize=True).value == -2.0
    assert given.extreme().n_tokens == 10
