"""``actmax.maximize``: what the result says, against the model run by hand."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.real import real_model
from tests.search.test_soft_ascent import breaks_beyond
from tests.tiny import WIDTH, tiny_model, tiny_net, tiny_tokenizer
from torch import Tensor

import actmax
from actmax.api.maximize import maximize
from actmax.api.methods import VECTORS_LENGTH
from actmax.errors import ActmaxError
from actmax.inputs.soft import random_start, text_start
from actmax.models.model import Model
from actmax.objectives.penalties import shell_radius
from actmax.results.maximize import MaximizeResult
from actmax.results.schema import schema_of
from actmax.search.settings import MaximizeSettings

MODEL = tiny_model("llama")
UNIT, LAYER, INDEX = "hidden_states.2:9", 2, 9
QUICK: dict[str, Any] = {"steps": 15, "lr": 0.01, "length": 4}


@pytest.fixture(scope="module")
def result() -> MaximizeResult:
    return maximize(MODEL, UNIT, restarts=3, **QUICK)


def hidden(model: Model, layer: int, **given: Tensor) -> Tensor:
    with torch.no_grad():
        value: Tensor = model.net(output_hidden_states=True, **given).hidden_states[layer]
    return value


def check_truth(model: Model, found: MaximizeResult, layer: int, index: int, rel: float) -> None:
    """Every number of a soft result that transformers can say by itself."""
    start, optimum = found.tensors["start"], found.tensors["optimum"]
    for run in found.runs:
        k = run.restart
        first = hidden(model, layer, inputs_embeds=start[k : k + 1])[0, :, index].mean()
        last = hidden(model, layer, inputs_embeds=optimum[k : k + 1])[0, :, index].mean()
        assert run.activation_initial == pytest.approx(float(first), rel=rel, abs=rel)
        assert run.activation_final == pytest.approx(float(last), rel=rel, abs=rel)
        assert run.trajectory.activation[0] == pytest.approx(float(first), rel=rel, abs=rel)
        assert run.trajectory.activation[-1] == pytest.approx(float(last), rel=rel, abs=rel)
        matrix = torch.nn.functional.normalize(model.embedding, dim=-1)
        cosine = torch.nn.functional.normalize(optimum[k], dim=-1) @ matrix.T
        assert list(run.ids) == cosine.argmax(-1).tolist()
        assert list(run.cosine) == pytest.approx(cosine.amax(-1).tolist(), abs=1e-5)
        assert list(run.tokens) == [model.tokenizer.decode([i]) for i in run.ids]
        assert run.text == model.tokenizer.decode(list(run.ids))
        assert [top[0].id for top in run.top_tokens] == list(run.ids)
        assert all(len(top) == 5 for top in run.top_tokens)
        gain = run.activation_final - run.activation_initial
        kept = (run.activation_of_ids - run.activation_initial) / gain if gain else None
        assert run.kept == pytest.approx(kept)
        again = model.tokenizer.encode(run.text, add_special_tokens=False)
        assert run.retokenizes == (again == list(run.ids))
        for ids, told in ((list(run.ids), run.activation_of_ids), (again, run.activation_of_text)):
            said = hidden(model, layer, input_ids=torch.tensor([ids]))[0, :, index].mean()
            assert told == pytest.approx(float(said), rel=rel, abs=rel)
        whole = torch.tensor([[model.tokenizer.bos_token_id, *again]])
        loss = float(model.net(input_ids=whole, labels=whole).loss)
        assert run.cross_entropy == pytest.approx(loss, rel=1e-3)
    finals = [run.activation_final for run in found.runs]
    assert found.best.activation == (min if found.minimize else max)(finals)
    assert found.best.restart == finals.index(found.best.activation)
    assert found.best.text == found.best_run.text


def test_every_number_is_what_the_model_gives(result: MaximizeResult) -> None:
    check_truth(MODEL, result, LAYER, INDEX, rel=1e-4)
    assert all(run.activation_final > run.activation_initial for run in result.runs)
    assert result.complete
    assert not result.minimize
    assert (result.site, result.index, result.model) == ("blocks.1.hook_resid_post", INDEX, "tiny-llama")
    assert (result.method, result.seed, result.positions) == ("soft-ascent", 0, "mean")


def test_the_start_is_the_classic_one(result: MaximizeResult) -> None:
    assert torch.equal(result.tensors["start"], random_start(MODEL, 4, range(3), seed=0))


def test_the_defaults_are_the_classic_protocol() -> None:
    classic = MaximizeSettings()
    assert (classic.method, classic.steps, classic.lr, classic.l2) == ("soft-ascent", 500, 0.001, 0.01)
    assert VECTORS_LENGTH == 5
    assert (classic.shell, classic.init_text, classic.metric) == (False, None, "cosine")


def test_the_penalty_is_shown(result: MaximizeResult) -> None:
    assert result.objective == "mean(hidden_states.2:9) - 0.01 · Σθ²"
    assert {
        "l2": 0.01,
        "lr": 0.01,
        "steps": 15,
        "restarts": 3,
        "length": 4,
    }.items() <= result.settings.items()


def test_neighbours(result: MaximizeResult) -> None:
    assert result.neighbors == (7, 8, 10, 11)
    values = hidden(MODEL, LAYER, inputs_embeds=result.tensors["start"])[..., [7, 8, 10, 11]].mean((1, 2))
    told = [run.trajectory.neighbor_activation[0] for run in result.runs]
    assert told == pytest.approx(values.tolist(), rel=1e-4, abs=1e-5)


def test_neighbours_at_the_edge() -> None:
    assert maximize(MODEL, "hidden_states.2:0", steps=0).neighbors == (1, 2)
    assert maximize(MODEL, "hidden_states.2:31", steps=0).neighbors == (29, 30)


def test_isolation_against_numpy(result: MaximizeResult) -> None:
    best = result.best.restart
    for name, rank, z in (("start", "rank_before", "z_before"), ("optimum", "rank_after", "z_after")):
        values = (
            hidden(MODEL, LAYER, inputs_embeds=result.tensors[name][best : best + 1])[0]
            .mean(0)
            .double()
            .numpy()
        )
        assert getattr(result.isolation, rank) == 1 + int((values > values[INDEX]).sum())
        expected = (values[INDEX] - values.mean()) / values.std(ddof=1)
        assert getattr(result.isolation, z) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert result.isolation is not None
    assert result.isolation.width == WIDTH


def test_the_random_control(result: MaximizeResult) -> None:
    told = result.random_tokens
    assert told is not None
    assert told.n == len(told.activations) == 1000
    assert told.max == told.activations[-1] == max(told.activations)
    assert told.mean == pytest.approx(np.mean(told.activations), rel=1e-5)
    assert told.std == pytest.approx(np.std(told.activations, ddof=1), rel=1e-5)


def test_the_cost_counts_the_search_alone(result: MaximizeResult) -> None:
    assert (result.cost.forward_tokens, result.cost.backward_tokens) == (16 * 3 * 4, 16 * 3 * 4)
    assert result.cost.sequences_scored == 16 * 3


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(result: MaximizeResult) -> None:
    again = maximize(MODEL, UNIT, restarts=3, **QUICK)
    assert again.runs == result.runs
    assert again.random_tokens == result.random_tokens
    assert all(torch.equal(again.tensors[name], value) for name, value in result.tensors.items())
    other = maximize(MODEL, UNIT, restarts=3, seed=1, **QUICK)
    assert not {run.activation_final for run in other.runs} & {run.activation_final for run in result.runs}


def test_more_restarts_keep_the_first_ones(result: MaximizeResult) -> None:
    alone = maximize(MODEL, UNIT, restarts=1, **QUICK)
    assert alone.runs[0].trajectory.activation == pytest.approx(
        result.runs[0].trajectory.activation, rel=1e-4
    )
    assert alone.runs[0].ids == result.runs[0].ids


def test_no_steps_at_all() -> None:
    found = maximize(MODEL, UNIT, restarts=2, steps=0)
    assert torch.equal(found.tensors["start"], found.tensors["optimum"])
    assert [run.trajectory.step for run in found.runs] == [(0,), (0,)]
    check_truth(MODEL, found, LAYER, INDEX, rel=1e-4)


def test_minimising() -> None:
    found = maximize(MODEL, UNIT, restarts=3, minimize=True, **QUICK)
    assert found.minimize
    assert all(run.activation_final < run.activation_initial for run in found.runs)
    assert found.objective == "- mean(hidden_states.2:9) - 0.01 · Σθ²"
    check_truth(MODEL, found, LAYER, INDEX, rel=1e-4)
    assert found.isolation is not None
    value = hidden(MODEL, LAYER, inputs_embeds=found.tensors["optimum"][[found.best.restart]])[0].mean(0)
    assert found.isolation.rank_after == 1 + int((value < value[INDEX]).sum()), "rank 1 is the smallest"


def test_from_a_text() -> None:
    found = maximize(MODEL, UNIT, restarts=2, steps=0, init_text=" the cat sat")
    assert found.settings["length"] == 3
    assert torch.equal(found.tensors["start"], text_start(MODEL, " the cat sat", range(2), 0))
    assert found.runs[0].text == " the cat sat"
    assert found.runs[0].activation_of_ids == pytest.approx(
        found.runs[0].activation_initial, rel=1e-4, abs=1e-5
    )
    assert found.runs[0].cosine == pytest.approx((1.0, 1.0, 1.0), abs=1e-5)


def test_on_the_shell() -> None:
    found = maximize(MODEL, UNIT, restarts=2, shell=True, **QUICK)
    norms = found.tensors["optimum"].norm(dim=-1)
    torch.testing.assert_close(norms, torch.full_like(norms, shell_radius(MODEL)), rtol=1e-4, atol=0)


def test_the_shell_penalty_draws_norms_to_the_shell() -> None:
    settings: dict[str, Any] = {"steps": 150, "lr": 0.05, "length": 2, "l2": 0.0}
    free, drawn = (maximize(MODEL, "hook_embed:3", shell_penalty=w, **settings) for w in (0.0, 100.0))
    apart = [(f.tensors["optimum"].norm(dim=-1) - shell_radius(MODEL)).abs().max() for f in (free, drawn)]
    assert float(apart[1]) < 0.1 < float(apart[0])


def test_further_units_are_weighed_in() -> None:
    """hook_embed: maximise θ₃ - 0.5 θ₅ - λΣθ²; the optimum is (1, -0.5) / (2λ·length)."""
    found = maximize(
        MODEL, "hook_embed:3", also=[(-0.5, "hook_embed:5")], length=2, l2=0.5, steps=400, lr=0.02
    )
    expected = torch.zeros(2, WIDTH)
    expected[:, 3], expected[:, 5] = 0.5, -0.25
    torch.testing.assert_close(found.tensors["optimum"][0], expected, rtol=0, atol=5e-3)
    assert "0.5 · mean(hook_embed:5)" in found.objective


def test_with_bos_in_front() -> None:
    found = maximize(MODEL, UNIT, restarts=2, bos="always", **QUICK)
    bos = MODEL.embedding[torch.tensor([[0]])]
    for run in found.runs:
        whole = torch.cat([bos, found.tensors["optimum"][[run.restart]]], dim=1)
        value = float(hidden(MODEL, LAYER, inputs_embeds=whole)[0, 1:, INDEX].mean())
        assert run.activation_final == pytest.approx(value, rel=1e-3)
        ids = torch.tensor([[0, *run.ids]])
        value = float(hidden(MODEL, LAYER, input_ids=ids)[0, 1:, INDEX].mean())
        assert run.activation_of_ids == pytest.approx(value, rel=1e-3)
    assert found.manifest.bos.startswith("always")


def test_a_direction(tmp_path: Path) -> None:
    save_file({"d": torch.eye(WIDTH)[INDEX]}, tmp_path / "d.safetensors")
    found = maximize(MODEL, f"hidden_states.2:@{tmp_path / 'd.safetensors'}", restarts=3, **QUICK)
    assert (found.index, found.isolation, found.neighbors) == (None, None, ())
    check_truth(MODEL, found, LAYER, INDEX, rel=1e-4)
    found.save(tmp_path / "out")
    assert MaximizeResult.load(tmp_path / "out") == found


@pytest.mark.parametrize("unit", ["unembed.hook_logits: the", "ln_final.hook_normalized:3", "hook_embed:0"])
def test_units_at_either_end(unit: str) -> None:
    found = maximize(MODEL, unit, positions="last", **QUICK)
    assert found.best.activation > found.best_run.activation_initial


def test_saving_loading_and_frames(result: MaximizeResult, tmp_path: Path) -> None:
    result.save(tmp_path)
    back = MaximizeResult.load(tmp_path)
    assert back == result
    assert torch.equal(back.tensors["optimum"], result.tensors["optimum"])
    data = result.to_json()
    jsonschema.Draft202012Validator(schema_of("maximize")).validate(data)
    for frame in (result.to_pandas(), result.to_polars()):
        assert list(frame["activation_of_text"]) == [run.activation_of_text for run in result.runs]
    assert result.to_pandas("trajectories").shape[0] == 3 * 16
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert UNIT in page
    assert "<svg" in result._repr_html_()


def test_a_restart_that_breaks_is_told_and_the_rest_is_whole(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"restarts": 3, "l2": 0.0, "lr": 0.05, "steps": 60, "length": 4}
    plain = maximize(MODEL, "hidden_states.0:9", **settings).tensors
    first, last = (plain[name].flatten(1).norm(dim=1) for name in ("start", "optimum"))
    limit = float(last.sort().values[1:].mean())  # that only the largest will reach
    assert float(first.max()) < limit
    with breaks_beyond(MODEL, limit, math.nan):
        found = maximize(MODEL, "hidden_states.0:9", **settings)
    broken = [run for run in found.runs if run.stopped]
    assert [run.restart for run in broken] == [int(last.argmax())]
    for run in found.runs:
        assert math.isfinite(run.activation_final)
        assert np.isfinite(run.trajectory.activation).all()
    assert "not finite" in str(broken[0].stopped)
    assert found.complete
    found.save(tmp_path)
    assert MaximizeResult.load(tmp_path) == found
    assert "not finite" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_when_nothing_is_finite() -> None:
    with (
        breaks_beyond(MODEL, 0.0, math.nan),
        pytest.raises(ActmaxError, match=r"No restart gave finite values for hidden_states\.1:9; lower --lr"),
    ):
        maximize(MODEL, "hidden_states.1:9", restarts=2, steps=3)


@pytest.mark.parametrize("stop_at", [0, 5])
def test_ctrl_c_keeps_what_was_done(stop_at: int, tmp_path: Path) -> None:
    def stop(step: Any) -> None:
        if step.index == stop_at:
            raise KeyboardInterrupt

    found = maximize(MODEL, UNIT, restarts=2, on_step=stop, **QUICK)
    assert not found.complete
    assert found.random_tokens is None
    assert found.runs[1].trajectory.step == tuple(range(stop_at + 1))
    check_truth(MODEL, found, LAYER, INDEX, rel=1e-4)
    found.save(tmp_path)
    assert not MaximizeResult.load(tmp_path).complete


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"length": 0}, "length must be at least 1"),
        ({"length": 65}, "The length is 65, but tiny-llama reads at most 64 positions here; give fewer"),
        ({"length": 64, "bos": "always"}, "The length is 64, but tiny-llama reads at most 63 positions"),
        ({"length": 10**12}, "reads at most 64"),
        ({"restarts": 0}, "restarts must be at least 1"),
        ({"steps": -1}, "steps must be at least 0 .got -1"),
        ({"lr": 0.0}, "lr must be more than 0 .got 0.0"),
        ({"lr": math.nan}, "lr must be a finite number"),
        ({"l2": -0.1}, "l2 must be at least 0 .got -0.1"),
        ({"l2": math.inf}, "l2 must be a finite number .got inf"),
        ({"shell_penalty": math.nan}, "shell_penalty must be a finite number"),
        ({"init_text": ""}, "has no tokens"),
        ({"init_text": "the cat " * 40}, "reads at most 64"),
        ({"bos": "perhaps"}, "Unknown bos 'perhaps'; choose auto, always or never"),
        ({"metric": "manhattan"}, "Unknown metric 'manhattan'; choose cosine, l2 or dot"),
        ({"positions": "first"}, "Unknown positions 'first'; choose mean, last, max, each or a whole number"),
        ({"method": "hope"}, "There is no method 'hope'; the nearest are"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"step": 3}, "has no setting 'step'; the nearest are steps"),
        ({"also": [(1.0, "nonsense:1")]}, "has no site 'nonsense'"),
        ({"also": [(math.nan, "hook_embed:1")]}, "weight"),
        ({"unit": "hidden_states.9:1"}, "out of range"),
    ],
)
def test_mistakes_are_found_before_the_search(settings: dict[str, Any], said: str) -> None:
    """With the types as a user may get them wrong, so without the tests' type checks."""
    import jaxtyping

    def never(step: Any) -> None:
        raise AssertionError("the search has begun")

    search: Any = maximize
    call = {"unit": UNIT, **settings}
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(ActmaxError, match=said):
            search(MODEL, on_step=never, **call)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def test_without_a_bos_token() -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer())
    tokenizer.bos_token = None
    model = actmax.wrap(tiny_net("llama"), tokenizer)
    with pytest.raises(ActmaxError, match="defines no BOS token; use --bos auto or --bos never"):
        maximize(model, UNIT, bos="always", **QUICK)
    assert math.isfinite(maximize(model, UNIT, **QUICK).runs[0].cross_entropy)


@pytest.mark.real
def test_the_default_model() -> None:
    found = actmax.maximize(real_model(), "hidden_states.4:90", restarts=2, steps=20)
    check_truth(real_model(), found, 4, 90, rel=1e-3)
    assert (found.model, found.site) == ("smollm2-135m", "blocks.3.hook_resid_post")
    assert found.random_tokens is not None
    assert 0 < found.random_tokens.mean < 1.5 < found.random_tokens.max < 6
    assert found.runs[0].trajectory.activation[-1] > found.runs[0].trajectory.activation[0] + 1
