"""Soft ascent: the classic loop to the last digits, restarts that keep to themselves, and planted optima."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.real import real_model
from tests.tiny import MLP, WIDTH, tiny_model
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.inputs.soft import VectorSpace, random_start
from actmax.models.model import Model
from actmax.models.sites import resolve
from actmax.objectives.activation import Positions, activation
from actmax.objectives.objective import Objective
from actmax.objectives.penalties import shell_radius, squared_norm
from actmax.search.method import VectorState
from actmax.search.methods.soft_ascent import SoftAscent
from actmax.search.problem import Problem
from actmax.search.scorer import Scorer


@dataclass(frozen=True)
class At(VectorState):
    """A step, with where the vectors are."""

    index: int = 0
    total: int = 0


def ascend(
    model: Model,
    unit: str,
    start: Tensor,
    *,
    positions: Positions = "mean",
    l2: float = 0.01,
    minimize: bool = False,
    neighbors: tuple[int, ...] = (),
    **settings: Any,
) -> list[At]:
    """Every step of a search."""
    target = resolve(model, unit)
    wanted: Objective = -activation(target, positions) if minimize else activation(target, positions)
    problem = Problem(wanted - l2 * squared_norm(), VectorSpace(model, start, neighbors=neighbors))
    found = []
    for step in SoftAscent(**settings).search(Scorer(problem), problem, torch.Generator()):
        assert step.vectors is not None
        found.append(At(**vars(step.vectors), index=step.index, total=step.total))
    return found


def tutorial(
    model: Model, layer: int, index: int, start: Tensor, *, steps: int, lr: float, l2: float
) -> tuple[list[float], list[float], Tensor]:
    """One restart as everyone writes it: the whole model, all hidden states, torch's Adam."""
    theta = start.clone()[None].requires_grad_()
    adam = torch.optim.Adam([theta], lr=lr)
    activations, norms = [], []
    for t in range(steps + 1):
        hidden = model.net(inputs_embeds=theta, output_hidden_states=True).hidden_states[layer]
        a = hidden[0, :, index].mean()
        loss = -a + l2 * (theta**2).sum()
        adam.zero_grad()
        loss.backward()
        activations.append(float(a.detach()))
        assert theta.grad is not None
        norms.append(float(theta.grad.norm()))
        if t < steps:
            adam.step()
    return activations, norms, theta.detach()[0]


def same_as_the_tutorial(
    model: Model, layer: int, index: int, restarts: int, length: int, steps: int, lr: float
) -> None:
    start = random_start(model, length, range(restarts), seed=0)
    found = ascend(model, f"hidden_states.{layer}:{index}", start, steps=steps, lr=lr)
    assert [step.index for step in found] == list(range(steps + 1))
    for k in range(restarts):
        activations, norms, theta = tutorial(model, layer, index, start[k], steps=steps, lr=lr, l2=0.01)
        assert [float(step.activation[k]) for step in found] == pytest.approx(activations, rel=1e-5, abs=1e-5)
        assert [float(step.gradient_norm[k]) for step in found] == pytest.approx(norms, rel=1e-4, abs=1e-5)
        torch.testing.assert_close(found[-1].embeds[k], theta, rtol=1e-5, atol=1e-5)
    assert float(found[-1].activation.mean()) > float(found[0].activation.mean())


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("layer", [1, 3])
def test_it_is_the_tutorials_loop(family: str, layer: int) -> None:
    same_as_the_tutorial(tiny_model(family), layer, 9, restarts=3, length=5, steps=40, lr=0.001)


@pytest.mark.real
def test_it_is_the_tutorials_loop_on_the_default_model() -> None:
    same_as_the_tutorial(real_model(), 4, 90, restarts=2, length=5, steps=4, lr=0.001)


# What follows is about the restarts.


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_a_restart_alone_equals_the_restart_in_a_batch(family: str) -> None:
    model = tiny_model(family)
    batch = ascend(model, "hidden_states.2:9", random_start(model, 4, range(5), seed=1), steps=30, lr=0.01)
    for k in range(5):
        start = random_start(model, 4, range(k, k + 1), seed=1)
        alone = ascend(model, "hidden_states.2:9", start, steps=30, lr=0.01)
        torch.testing.assert_close(
            torch.cat([step.activation for step in alone]),
            torch.stack([step.activation[k] for step in batch]),
            rtol=1e-4,
            atol=1e-4,
        )


def test_the_same_start_gives_the_same_bits() -> None:
    model = tiny_model("llama")
    start = random_start(model, 4, range(3), seed=0)
    one, two = (ascend(model, "hidden_states.2:9", start, steps=20) for _ in range(2))
    assert all(torch.equal(a.embeds, b.embeds) for a, b in zip(one, two, strict=True))
    assert torch.equal(start, random_start(model, 4, range(3), seed=0)), "the start is not changed"


def test_steps_keep_their_vectors() -> None:
    """A step that has been yielded is not changed by those that follow."""
    model = tiny_model("llama")
    found = ascend(model, "hidden_states.2:9", random_start(model, 4, range(2), seed=0), steps=3)
    assert not any(torch.equal(a.embeds, b.embeds) for a, b in itertools.pairwise(found))


def test_no_steps_give_the_start() -> None:
    model = tiny_model("llama")
    start = random_start(model, 4, range(2), seed=0)
    (only,) = ascend(model, "hidden_states.2:9", start, steps=0)
    assert (only.index, only.total) == (0, 0)
    assert torch.equal(only.embeds, start)


def test_neighbours_are_watched() -> None:
    model = tiny_model("llama")
    start = random_start(model, 4, range(2), seed=0)
    (step,) = ascend(model, "hidden_states.2:9", start, steps=0, neighbors=(8, 10))
    with torch.no_grad():
        hidden = model.net(inputs_embeds=start, output_hidden_states=True).hidden_states[2]
    torch.testing.assert_close(step.neighbors, hidden[..., [8, 10]].mean(1))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": -1}, "steps must be at least 0"),
        ({"lr": 0.0}, "lr must be more than 0"),
        ({"lr": -1.0}, "lr must be more than 0 .got -1.0"),
        ({"lr": float("nan")}, "lr must be a finite number"),
        ({"lr": float("inf")}, "lr must be a finite number"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ActmaxError, match=said):
        SoftAscent(**settings)


# What follows is about values that are not finite.


@contextmanager
def breaks_beyond(model: Model, norm: float, value: float) -> Iterator[None]:
    """A model that gives ``value`` for every sequence whose vectors' norm is larger than ``norm``."""

    def hook(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        hidden = args[0] if args else kwargs["hidden_states"]
        size = hidden.flatten(1).norm(dim=1)[:, None, None]
        hidden = torch.where(size > norm, torch.full_like(hidden, value), hidden)
        return ((hidden, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": hidden})

    handle = model.net.get_submodule(f"{model.family.blocks}.0").register_forward_pre_hook(
        hook, with_kwargs=True
    )
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_restart_that_breaks_stops_alone_and_keeps_its_last_good_vectors(value: float) -> None:
    model = tiny_model("llama")
    unit, limit = "hidden_states.0:0", 10.0
    start = torch.randn(3, 4, WIDTH, generator=torch.Generator().manual_seed(0))
    start = start / start.flatten(1).norm(dim=1)[:, None, None] * torch.tensor([1.0, 9.9, 1.0])[:, None, None]
    start[1, :, 0] = 1.0  # the unit: it grows, and the norm with it
    with breaks_beyond(model, limit, value):
        found = ascend(model, unit, start, steps=60, lr=0.05, l2=0.0)
        alone = ascend(model, unit, start[[0, 2]], steps=60, lr=0.05, l2=0.0)
    last = found[-1]
    assert last.index == 60, "the others went on"
    assert list(last.stopped) == [1]
    t = next(step.index for step in found if step.stopped)
    assert 0 < t < 60
    assert last.stopped[1] == f"stopped at step {t}: the activation or its gradient is not finite"
    for field in ("embeds", "activation", "gradient_norm"):
        kept = [getattr(step, field)[1] for step in found[t - 1 :]]
        assert all(torch.equal(x, kept[0]) for x in kept), field
        assert bool(kept[0].isfinite().all()), field
    assert 9.5 < float(last.embeds[1].norm()) <= limit
    assert found[0].stopped == {}, "steps do not share what they say"
    for mine, theirs in zip(found, alone, strict=True):
        torch.testing.assert_close(mine.embeds[[0, 2]], theirs.embeds, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(mine.activation[[0, 2]], theirs.activation, rtol=1e-5, atol=1e-6)


def test_when_every_restart_has_stopped_the_search_ends() -> None:
    model = tiny_model("llama")
    start = torch.full((2, 3, WIDTH), 0.1)
    with breaks_beyond(model, float(start[0].norm()) + 0.5, float("nan")):
        found = ascend(model, "hidden_states.0:0", start, steps=1000, lr=0.05, l2=0.0)
    assert found[-1].index < 100
    assert sorted(found[-1].stopped) == [0, 1]


# What follows has optima that are known.


@pytest.mark.parametrize(("positions", "minimize"), [("mean", False), ("mean", True), ("last", False)])
def test_a_dimension_of_the_embedding(positions: Positions, minimize: bool) -> None:
    """Maximise mean_p θ[p, i] - λΣθ²: where the gradient 1/length - 2λθ is zero, θ[p, i] = 1 / (2λ·length).

    All else shrinks to zero. Read at the last position alone, that one is 1 / (2λ).
    """
    model, length, l2 = tiny_model("llama"), 4, 0.5
    start = random_start(model, length, range(3), seed=0)
    found = ascend(
        model, "hook_embed:7", start, positions=positions, minimize=minimize, l2=l2, steps=400, lr=0.02
    )
    expected = torch.zeros(3, length, WIDTH)
    if positions == "mean":
        expected[:, :, 7] = (-1 if minimize else 1) / (2 * l2 * length)
    else:
        expected[:, -1, 7] = 1 / (2 * l2)
    torch.testing.assert_close(found[-1].embeds, expected, rtol=1e-3, atol=1e-3)
    reached = float(expected[0, :, 7].mean() if positions == "mean" else expected[0, -1, 7])
    assert found[-1].activation.tolist() == pytest.approx([reached] * 3, rel=1e-2)


def silence_attention(model: Model) -> None:
    """Attention adds nothing in block 0, so the MLP reads the embeddings through its norm alone."""
    module = model.net.get_submodule(f"{model.family.blocks}.0.{model.family.attn_out.module}")
    for weight in module.parameters():
        weight.data.zero_()


def planted_neuron(family: str, neuron: int) -> tuple[Model, Tensor]:
    """A tiny model, and the direction that this neuron's pre-activation reads after the norm."""
    model = tiny_model(family)
    silence_attention(model)
    wanted = torch.randn(WIDTH, generator=torch.Generator().manual_seed(11))
    block = f"{model.family.blocks}.0."
    weight: Any = model.net.get_submodule(block + model.family.mlp_pre.module).weight
    if weight.shape == (WIDTH, MLP):  # transformers' Conv1D holds [in, out]
        weight.data[:, neuron] = wanted
    else:
        weight.data[neuron] = wanted
    if family == "gpt2":
        wpe: Any = model.net.get_submodule("transformer.wpe").weight
        wpe.data.zero_()
        wanted = wanted - wanted.mean()  # LayerNorm takes the mean away
    return model, wanted


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("shell", [True, False])
def test_a_planted_neuron_is_found(family: str, shell: bool) -> None:
    """The norm leaves only the direction of its input, so the optimum points as the neuron's weights do."""
    model, wanted = planted_neuron(family, neuron=17)
    start = random_start(model, 3, range(4), seed=0)
    found = ascend(
        model, "blocks.0.mlp.hook_pre:17", start, l2=0.0 if shell else 1e-3, steps=250, lr=0.05, shell=shell
    )
    vectors = found[-1].embeds
    if family == "gpt2":
        vectors = vectors - vectors.mean(-1, keepdim=True)
    cosine = torch.nn.functional.cosine_similarity(vectors, wanted.expand_as(vectors), dim=-1)
    assert float(cosine.min()) > 0.99
    limit = float(wanted.norm()) * WIDTH**0.5  # |w| times the norm of what a norm layer gives
    assert found[-1].activation.tolist() == pytest.approx([limit] * 4, rel=0.02)


@pytest.mark.parametrize("minimize", [False, True])
def test_a_linear_unit_on_the_sphere(tmp_path: Path, minimize: bool) -> None:
    """max u·θ on a sphere is at θ = radius · u."""
    model = tiny_model("llama")
    wanted = torch.randn(WIDTH, generator=torch.Generator().manual_seed(4))
    wanted = wanted / wanted.norm()
    save_file({"u": wanted}, tmp_path / "u.safetensors")
    start = random_start(model, 3, range(4), seed=0)
    found = ascend(
        model,
        f"hook_embed:@{tmp_path / 'u.safetensors'}",
        start,
        minimize=minimize,
        l2=0.0,
        steps=250,
        lr=0.05,
        shell=True,
    )
    radius = shell_radius(model)
    for step in found:
        torch.testing.assert_close(step.embeds.norm(dim=-1), torch.full((4, 3), radius), rtol=1e-4, atol=0)
    vectors = found[-1].embeds * (-1 if minimize else 1)
    cosine = torch.nn.functional.cosine_similarity(vectors, wanted.expand_as(vectors), dim=-1)
    assert float(cosine.min()) > 0.99
    reached = found[-1].activation * (-1 if minimize else 1)
    assert reached.tolist() == pytest.approx([radius] * 4, rel=0.01)


def test_minimising_goes_down() -> None:
    model = tiny_model("gpt2")
    start = random_start(model, 4, range(3), seed=0)
    up = ascend(model, "hidden_states.2:9", start, steps=100, lr=0.01)
    down = ascend(model, "hidden_states.2:9", start, steps=100, lr=0.01, minimize=True)
    assert bool((up[-1].activation > up[0].activation).all())
    assert bool((down[-1].activation < down[0].activation).all())
