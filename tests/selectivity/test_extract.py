from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.selectivity.corpora import corpus
from tests.tiny import tiny_model

from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.read import read
from actmax.models.sites import resolve_site
from actmax.selectivity.extract import batches, extract
from actmax.selectivity.groups import SampleSource
from actmax.selectivity.named import parse_group
from actmax.selectivity.sample import Sample
from actmax.selectivity.settings import Batching, Take
from actmax.selectivity.sites import match_sites
from actmax.selectivity.store import load_activations, save_activations

SITES = ("blocks.*.mlp.hook_pre", "hidden_states.1", "blocks.2.attn.hook_q")


def samples_of(model: Model) -> list[Sample]:
    source = SampleSource(model.tokenizer, corpus(), before=9, after=3)
    return list(parse_group("words:cat,waiting,sea,naïve").samples(source, np.random.default_rng(0)).samples)


@pytest.mark.parametrize("family", ["llama", "gpt2", "opt", "gpt_neo", "gemma2", "gptj"])
@pytest.mark.parametrize("batching", ["packed", "padded"])
@pytest.mark.parametrize("take", ["last", "first", "mean"])
def test_batches_give_what_one_by_one_gives(family: str, batching: Batching, take: Take) -> None:
    model = tiny_model(family)
    samples = samples_of(model)
    assert len({len(sample.ids) for sample in samples}) > 2
    assert any(sample.stop - sample.start > 1 for sample in samples)
    sites = match_sites(model, SITES)
    acts = extract(model, samples, sites, bos=0, take=take, batching=batching, rng=np.random.default_rng(1))
    for k, sample in enumerate(samples):
        ids = torch.tensor([[0, *sample.ids]])
        with torch.no_grad():
            alone = read(model, sites, ids=ids)
        span = slice(sample.start + 1, sample.stop + 1)
        for n, site in enumerate(sites):
            value = alone[site][0, span]
            wanted = {"last": value[-1], "first": value[0], "mean": value.mean(dim=0)}[take]
            np.testing.assert_allclose(acts.values[k, acts.bounds(n)], wanted.numpy(), rtol=2e-4, atol=2e-4)
    assert acts.complete


def test_columns_are_units() -> None:
    model = tiny_model()
    sites = match_sites(model, SITES)
    acts = extract(model, samples_of(model), sites)
    names = [acts.name(u) for u in range(acts.values.shape[1])]
    assert len(set(names)) == len(names) == 3 * 64 + 32 + 32
    assert names[0] == f"{sites[0].name}:0"
    assert names[acts.bounds(1).start + 5] == f"{sites[1].name}:5"
    assert acts.site_of.tolist() == sorted(acts.site_of.tolist())


@given(st.lists(st.integers(1, 12), max_size=60), st.integers(4, 40), st.sampled_from(["packed", "padded"]))
def test_every_sample_is_in_one_batch(lengths: list[int], most: int, batching: Batching) -> None:
    order = np.random.default_rng(0).permutation(len(lengths))
    made = list(batches(lengths, order, most, batching))
    assert sorted(k for batch in made for k in batch) == list(range(len(lengths)))
    for batch in made:
        longest = max(lengths[k] for k in batch)
        assert len(batch) == 1 or len(batch) * (longest + 1) <= most
        assert batching == "padded" or {lengths[k] for k in batch} == {longest}


def test_a_value_that_is_not_finite_is_a_sentence() -> None:
    model = tiny_model(seed=3)
    with torch.no_grad():
        dict(model.net.named_parameters())["model.layers.1.mlp.gate_proj.weight"][7] = float("nan")
    with pytest.raises(ActmaxError, match="not finite"):
        extract(model, samples_of(model), match_sites(model, SITES))


def test_a_sink_is_recognised_by_its_norm() -> None:
    model = tiny_model(seed=4)
    samples = samples_of(model)
    odd = samples[3].ids[samples[3].stop - 1]
    with torch.no_grad():
        dict(model.net.named_parameters())["model.embed_tokens.weight"][odd] *= 1000.0
    acts = extract(model, samples, [resolve_site(model, "blocks.0.mlp.hook_pre")])
    assert acts.sinks.tolist() == [s.ids[s.stop - 1] == odd for s in samples]


def test_ctrl_c_keeps_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actmax.selectivity.extract.TOKENS_AT_ONCE", 16)
    model = tiny_model()
    samples = samples_of(model)

    def stop(stage: str, done: int, total: int | None, **more: str) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    acts = extract(model, samples, [resolve_site(model, "hidden_states.1")], progress=stop)
    assert 3 <= acts.done.sum() < len(samples)
    assert not acts.complete
    assert (acts.values[~acts.done] == 0).all()


def test_ctrl_c_before_anything_was_read_is_ctrl_c() -> None:
    model = tiny_model()

    class Stop(Sample):
        @property
        def ids(self) -> tuple[int, ...]:
            raise KeyboardInterrupt

    sample = samples_of(model)[0]
    broken = object.__new__(Stop)
    for name in ("start", "stop", "text"):
        object.__setattr__(broken, name, getattr(sample, name))
    with pytest.raises(KeyboardInterrupt):
        extract(model, [broken], [resolve_site(model, "hidden_states.1")])


def test_the_file_and_its_index(tmp_path: object) -> None:
    folder = str(tmp_path)
    model = tiny_model()
    samples = samples_of(model)
    acts = extract(model, samples, match_sites(model, SITES))
    save_activations(folder, acts, samples, ["a"] * len(samples), model=model.name, take="last")
    stored = load_activations(folder)
    assert set(stored.tensors) == {site.name for site in acts.sites}
    for n, site in enumerate(acts.sites):
        assert np.array_equal(stored.tensors[site.name].numpy(), acts.values[:, acts.bounds(n)])
    assert [row["text"] for row in stored.rows] == [sample.text for sample in samples]
    assert [row["where"] for row in stored.rows] == [sample.where for sample in samples]
    assert stored.take == "last"


def test_patterns_name_sites() -> None:
    model = tiny_model()
    assert [s.name for s in match_sites(model, ["blocks.[01].mlp.hook_pre"])] == [
        "blocks.0.mlp.hook_pre",
        "blocks.1.mlp.hook_pre",
    ]
    assert [s.name for s in match_sites(model, ["hidden_states.*"])] == [
        "blocks.0.hook_resid_pre",
        "blocks.0.hook_resid_post",
        "blocks.1.hook_resid_post",
        "ln_final.hook_normalized",
    ]
    assert len(match_sites(model, ["blocks.*.mlp.hook_pre", "blocks.1.*"])) > 3
    with pytest.raises(ActmaxError, match="names no site"):
        match_sites(model, ["blocks.*.mlp.hook_prost"])
