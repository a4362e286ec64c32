"""Where soft inputs start, and the shell."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny import tiny_model, tiny_tokenizer

from actmax.errors import ActmaxError
from actmax.inputs.soft import TEXT_NOISE, random_start, tangent, text_start, to_shell
from actmax.models.model import Model

MODEL = tiny_model("llama")


def deviation(model: Model) -> float:
    weight: Any = model.net.get_input_embeddings().weight
    return float(weight.std())


STD = deviation(MODEL)


def test_the_deviation_is_that_of_the_embedding_matrix() -> None:
    start = random_start(MODEL, 40, range(50), seed=0)
    assert start.shape == (50, 40, MODEL.d_model)
    n = start.numel()
    assert float(start.std()) == pytest.approx(STD, rel=5 / (2 * n) ** 0.5)
    assert abs(float(start.mean())) < 5 * STD / n**0.5


def test_gemmas_scale_is_part_of_it() -> None:
    gemma = tiny_model("gemma")
    start = random_start(gemma, 40, range(20), seed=0)
    scaled = deviation(gemma) * 32**0.5
    assert float(start.std()) == pytest.approx(scaled, rel=0.03)


@given(st.sets(st.integers(0, 20), min_size=1), st.integers(0, 100))
def test_any_restarts_alone_equal_those_in_a_batch(some: set[int], seed: int) -> None:
    whole = random_start(MODEL, 3, range(21), seed)
    for k in some:
        assert torch.equal(random_start(MODEL, 3, range(k, k + 1), seed)[0], whole[k])


def test_restarts_and_seeds_differ() -> None:
    a, b = random_start(MODEL, 3, range(2), seed=0)
    (c,) = random_start(MODEL, 3, range(1), seed=1)
    assert not torch.allclose(a, b)
    assert not torch.allclose(a, c)


def test_a_text_start_is_the_texts_embeddings_and_others_are_near() -> None:
    text = " the cat sat on"
    ids = tiny_tokenizer().encode(text)
    start = text_start(MODEL, text, range(4), seed=0)
    rows = MODEL.embedding[ids]
    assert torch.equal(start[0], rows)
    noise = start[1:] - rows
    assert float(noise.std()) == pytest.approx(TEXT_NOISE * STD, rel=0.15)
    assert torch.equal(text_start(MODEL, text, range(2, 3), seed=0)[0], start[2])


def test_special_tokens_are_not_added_to_a_text_start() -> None:
    assert text_start(MODEL, "a", range(1), seed=0).shape == (1, 1, MODEL.d_model)


def test_an_empty_text() -> None:
    with pytest.raises(ActmaxError, match="has no tokens; give some, or leave --init-text out"):
        text_start(MODEL, "", range(1), seed=0)


@given(st.floats(0.1, 50), st.integers(0, 1000))
def test_on_the_shell_directions_stay_and_norms_are_the_radius(radius: float, seed: int) -> None:
    vectors = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(seed))
    shell = to_shell(vectors, radius)
    torch.testing.assert_close(shell.norm(dim=-1), torch.full((2, 3), radius), rtol=1e-5, atol=0)
    cosine = torch.nn.functional.cosine_similarity(shell, vectors, dim=-1)
    torch.testing.assert_close(cosine, torch.ones(2, 3))


def test_a_zero_vector_stays_finite() -> None:
    assert bool(to_shell(torch.zeros(1, 1, 4), 2.0).isfinite().all())


@given(st.integers(0, 1000))
def test_the_tangent_leads_along_the_shell(seed: int) -> None:
    """It is orthogonal to the vector, the remainder is parallel to it, and at the summit it is zero."""
    gradient, vectors = torch.randn(2, 2, 3, 5, generator=torch.Generator().manual_seed(seed)).unbind()
    along = tangent(gradient, vectors)
    torch.testing.assert_close((along * vectors).sum(-1), torch.zeros(2, 3), rtol=0, atol=1e-5)
    rest = gradient - along
    cosine = torch.nn.functional.cosine_similarity(rest, vectors, dim=-1)
    torch.testing.assert_close(cosine.abs(), torch.ones(2, 3), rtol=1e-3, atol=0)
    torch.testing.assert_close(tangent(3 * vectors, vectors), torch.zeros(2, 3, 5), rtol=0, atol=1e-5)
