"""Nearest tokens against brute force in numpy."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import tiny_ids, tiny_model

from actmax.errors import ActmaxError
from actmax.search.nearest import Metric, nearest_tokens, similarity_to_tokens

MODEL = tiny_model("llama")
VECTORS = torch.randn(3, 4, MODEL.d_model, generator=torch.Generator().manual_seed(0))


def brute_force(vector: np.ndarray[Any, Any], matrix: np.ndarray[Any, Any], metric: str) -> Any:
    """One vector against one row at a time."""
    if metric == "cosine":
        return [vector @ row / (np.linalg.norm(vector) * np.linalg.norm(row)) for row in matrix]
    if metric == "l2":
        return [-np.linalg.norm(vector - row) for row in matrix]
    return [vector @ row for row in matrix]


@pytest.mark.parametrize("metric", ["cosine", "l2", "dot"])
@pytest.mark.parametrize("family", ["llama", "gemma"])
def test_against_brute_force(metric: Metric, family: str) -> None:
    model = tiny_model(family)
    found = nearest_tokens(model, VECTORS, k=5, metric=metric)
    assert found.ids.shape == found.similarity.shape == (3, 4, 5)
    assert found.metric == metric
    matrix = model.embedding.double().numpy()
    for b in range(3):
        for p in range(4):
            scores = np.array(brute_force(VECTORS[b, p].double().numpy(), matrix, metric))
            order = np.argsort(-scores, kind="stable")[:5]
            assert found.ids[b, p].tolist() == order.tolist()
            np.testing.assert_allclose(found.similarity[b, p], scores[order], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_tokens_own_embedding_is_nearest_to_itself(metric: Metric) -> None:
    ids = tiny_ids(4, 6)
    found = nearest_tokens(MODEL, MODEL.embedding[ids], k=1, metric=metric)
    assert torch.equal(found.ids[..., 0], ids)
    expected = torch.full((4, 6), 1.0 if metric == "cosine" else 0.0)
    torch.testing.assert_close(found.similarity[..., 0], expected, rtol=0, atol=5e-3)


def test_length_does_not_matter_to_cosine() -> None:
    one, two = nearest_tokens(MODEL, VECTORS), nearest_tokens(MODEL, VECTORS * 37)
    assert torch.equal(one.ids, two.ids)
    torch.testing.assert_close(one.similarity, two.similarity)


def test_every_token_is_compared() -> None:
    similar = similarity_to_tokens(MODEL, VECTORS[0])
    assert similar.shape == (4, MODEL.vocab_size)
    assert float(similar.abs().max()) <= 1 + 1e-5


def test_a_zero_vector_is_near_nothing() -> None:
    assert similarity_to_tokens(MODEL, torch.zeros(1, MODEL.d_model)).tolist() == [[0.0] * MODEL.vocab_size]


def test_half_precision_is_compared_in_float32() -> None:
    half = similarity_to_tokens(MODEL, VECTORS[0].half())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, similarity_to_tokens(MODEL, VECTORS[0]), rtol=0, atol=2e-3)


def test_an_unknown_metric() -> None:
    with pytest.raises(ActmaxError, match="Unknown metric 'manhattan'; choose cosine, l2 or dot"):
        inspect.unwrap(similarity_to_tokens)(MODEL, VECTORS[0], "manhattan")
