from __future__ import annotations

import numpy as np
import torch
from tests.selectivity.corpora import corpus
from tests.tiny import tiny_model

from actmax.models.read import read
from actmax.selectivity.context import context_effect, depths_of, path_length
from actmax.selectivity.fresh import fresh_samples, look
from actmax.selectivity.groups import SampleSource
from actmax.selectivity.named import parse_group

RNG = np.random.default_rng


def test_context_is_the_difference_from_the_token_alone() -> None:
    model = tiny_model()
    source = SampleSource(model.tokenizer, corpus(), before=6)
    samples = parse_group("words:cat,sea").samples(source, RNG(0)).samples
    effect = context_effect(model, samples, bos=0)
    sites = depths_of(model)
    for k, sample in enumerate(samples):
        with torch.no_grad():
            inside = read(model, sites, ids=torch.tensor([[0, *sample.ids]]))
            target = sample.ids[sample.start : sample.stop]
            alone = read(model, sites, ids=torch.tensor([[0, *target]]))
        a = np.stack([inside[site][0, sample.stop].numpy() for site in sites])
        b = np.stack([alone[site][0, len(target)].numpy() for site in sites])
        distance = np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)
        np.testing.assert_allclose(effect.context_distance[:, k], distance, rtol=1e-3, atol=1e-4)
        steps = np.linalg.norm(a[1:] - a[:-1], axis=1)
        np.testing.assert_allclose(effect.path[-1, k], steps.sum(), rtol=1e-3)
        longer = np.linalg.norm(b, axis=1) / np.linalg.norm(a, axis=1)
        np.testing.assert_allclose(effect.alone_over_context[:, k], longer, rtol=1e-3)
    assert np.allclose(effect.context_distance[0], 0, atol=1e-5), "the embedding knows no context"
    assert (effect.space_distance[0] > 0.1).all(), "but it knows the leading space"
    assert (effect.path >= effect.straight - 1e-6).all()


def test_a_straight_way_is_as_long_as_it_is_far() -> None:
    line = np.arange(5.0)[:, None, None] * np.ones((1, 2, 4))
    np.testing.assert_allclose(path_length(line)[-1], np.linalg.norm(line[-1] - line[0], axis=-1))


def test_fresh_text_was_not_used() -> None:
    model = tiny_model()
    texts = [f"the cat sat on the mat {'and ran ' * k}; the sea and a red ship" for k in range(12)]
    source = SampleSource(model.tokenizer, corpus(*texts), before=4, most=6)
    groups = [parse_group("words:cat"), parse_group("words:sea")]
    found = [group.samples(source, RNG(0)) for group in groups]
    used = {sample.where for one in found for sample in one.samples}
    chosen = fresh_samples(groups, found, source, RNG(1))
    assert [label for label, _ in chosen] == ["a"] * 3 + ["b"] * 3
    assert not used & {sample.where for _, sample in chosen}
    known = {sample.document for one in found for sample in one.samples}
    assert len(known) == 12 or not any(sample.document in known for _, sample in chosen[:1])
    assert look(model, [], chosen, bos=0) == []
    units = ["blocks.1.mlp.hook_pre:5", "hidden_states.2:3"]
    passages = look(model, units, chosen, bos=0)
    sample, passage = chosen[0][1], passages[0]
    with torch.no_grad():
        site = depths_of(model)[2]
        alone = read(model, [site], ids=torch.tensor([[0, *sample.ids]]))[site][0, 1:, 3]
    np.testing.assert_allclose(passage.values[1], alone.numpy(), rtol=1e-4, atol=1e-4)
    assert "".join(passage.tokens[slice(*passage.target)]).strip() == "cat"


def test_text_for_groups_of_words_alone_is_spread_over_the_corpus() -> None:
    model = tiny_model()
    source = SampleSource(model.tokenizer, corpus())
    groups = [parse_group("nouns"), parse_group("verbs")]
    chosen = fresh_samples(groups, [], source, RNG(0), passages=2)
    assert len(chosen) == 4
    assert all(label == "" for label, _ in chosen)
    assert fresh_samples(groups, [], SampleSource(model.tokenizer), RNG(0)) == []
