"""Sinks: a planted one, and those of the default model."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import tiny_model, tiny_tokenizer

from actmax.api.load import load
from actmax.corpus.reading import read_units
from actmax.corpus.sinks import calibrate
from actmax.corpus.tokens import tokens_of_texts
from actmax.corpus.windows import windows_of
from actmax.models.default import default_is_ready
from actmax.models.read import read
from actmax.models.sinks import Sinks, residual_at
from actmax.models.sites import Site, resolve


@pytest.mark.parametrize(
    ("site", "residual"),
    [
        ("blocks.1.hook_resid_post", "blocks.1.hook_resid_post"),
        ("blocks.1.mlp.hook_post", "blocks.1.hook_resid_post"),
        ("blocks.1.attn.hook_q", "blocks.1.hook_resid_post"),
        ("blocks.1.hook_resid_pre", "blocks.1.hook_resid_pre"),
        ("blocks.0.hook_resid_pre", None),
        ("hook_embed", None),
        ("ln_final.hook_normalized", "blocks.2.hook_resid_post"),
        ("unembed.hook_logits", "blocks.2.hook_resid_post"),
    ],
)
def test_the_depth_that_is_looked_at(site: str, residual: str | None) -> None:
    model = tiny_model()
    found = residual_at(model, resolve(model, f"{site}:0").site)
    assert (found.name if found else None) == residual


def test_a_planted_sink_is_found_alone() -> None:
    residual = torch.ones(2, 5, 4)
    residual[1, 3] = 100.0
    site = Site("blocks.1.hook_resid_post", 1)
    assert Sinks(site, median=2.0).mask(residual).nonzero().tolist() == [[1, 3]]
    assert not Sinks(site, median=50.0).mask(residual).any()


def test_calibration_is_the_median_over_valid_positions() -> None:
    model = tiny_model()
    windows = windows_of(tokens_of_texts(["the cat sat on the mat"] * 3, tiny_tokenizer()), length=6, bos=0)
    site = Site("blocks.1.hook_resid_post", 1)
    rule = calibrate(model, windows, [site])
    batch = windows.batch(0, windows.n_windows)
    with torch.no_grad():
        norms = read(model, [site], ids=batch.ids)[site].norm(dim=-1)[batch.valid]
    assert rule[site].median == pytest.approx(float(norms.median()), rel=1e-5)
    assert bool(rule[site].mask(torch.full((1, 2, 32), 1e4)).all())
    assert calibrate(model, windows, []) == {}


@pytest.mark.real
def test_sinks_of_the_default_model() -> None:
    """Without BOS position 0 is a sink, and so is a run of asterisks right after BOS."""
    if not default_is_ready():
        pytest.skip("the default model is not in the cache; `actmax models fetch` fetches it")
    model = load()
    text = "The river flows through the old town and the people cross it by a stone bridge every day. " * 4
    tokens = tokens_of_texts(
        [text, "**** is a line of stars that somebody wrote down. " * 4], model.tokenizer
    )
    unit = resolve(model, "blocks.11.hook_resid_post:3")
    bare = read_units(model, [unit], windows_of(tokens, length=64))
    norms = bare.norms[0, 0]
    assert norms[0] == pytest.approx(22_000, rel=0.2)
    assert float(torch.tensor(norms[1:]).median()) == pytest.approx(150, rel=0.2)
    windows = windows_of(tokens, length=64, bos=1)
    readings = read_units(model, [unit], windows)
    batch = windows.batch(0, windows.n_windows)
    sinks = readings.sinks(0, batch.valid.numpy()) & batch.valid.numpy()
    found = [windows.context(int(where), 0, 0)[1] for where in batch.where.numpy()[sinks]]
    assert found == ["****"]
