"""Running a method: what is recorded, what is counted, and Ctrl-C."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import tiny_model

from actmax.inputs.soft import random_start
from actmax.models.sites import resolve
from actmax.objectives.activation import activation
from actmax.search.method import Method, Problem, Step
from actmax.search.methods.soft_ascent import SoftAscent
from actmax.search.run import Outcome, run
from actmax.search.scorer import Scorer

MODEL = tiny_model("llama")
UNIT = resolve(MODEL, "hidden_states.2:9")
PROBLEM = Problem(UNIT, "mean", random_start(MODEL, 4, range(3), seed=0), (8, 10))


def scorer() -> Scorer:
    return Scorer(MODEL, activation(UNIT))


def outcome(steps: int = 10, stop_at: int | None = None) -> tuple[Outcome, list[Step]]:
    seen: list[Step] = []

    def watch(step: Step) -> None:
        seen.append(step)
        if step.index == stop_at:
            raise KeyboardInterrupt

    return run(SoftAscent(steps, lr=0.01), scorer(), PROBLEM, watch), seen


def test_every_step_is_told_and_recorded() -> None:
    found, seen = outcome()
    assert isinstance(SoftAscent(), Method)
    assert found.complete
    assert [step.index for step in seen] == found.trace.step == list(range(11))
    assert {step.total for step in seen} == {10}
    for i, step in enumerate(seen):
        assert torch.equal(found.trace.activation[i], step.activation)
        assert torch.equal(found.trace.gradient_norm[i], step.gradient_norm)
        assert torch.equal(found.trace.neighbors[i], step.neighbors)
    assert found.last is seen[-1]
    assert found.trace.neighbors.shape == (11, 3, 2)


def test_the_cost_is_what_went_through_the_model() -> None:
    """Three rows of four positions, eleven times forward and backward."""
    cost = outcome()[0].cost
    assert (cost.forward_tokens, cost.backward_tokens, cost.sequences_scored) == (132, 132, 33)
    assert cost.seconds > 0


def test_scores_without_gradient_cost_no_backward() -> None:
    door = scorer()
    scores, reading = door.soft(PROBLEM.start)
    assert not scores.requires_grad
    assert not reading.acts[UNIT.site].requires_grad
    assert (door.cost.forward_tokens, door.cost.backward_tokens, door.cost.sequences_scored) == (12, 0, 3)
    torch.testing.assert_close(scores, door.gradient(PROBLEM.start).scores)


@pytest.mark.parametrize("stop_at", [0, 4, 10])
def test_what_was_done_before_ctrl_c_is_kept(stop_at: int) -> None:
    whole, _ = outcome()
    cut, _ = outcome(stop_at=stop_at)
    assert not cut.complete
    assert cut.trace.step == list(range(stop_at + 1))
    assert torch.equal(cut.trace.activation, whole.trace.activation[: stop_at + 1])
    assert cut.last.index == stop_at


def test_ctrl_c_before_the_first_step_leaves_nothing_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Scorer, "gradient", stop)
    with pytest.raises(KeyboardInterrupt):
        outcome()


def test_ctrl_c_within_a_step_keeps_the_step_before(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Scorer.gradient
    n = 0

    def stop(self: Scorer, embeds: torch.Tensor) -> object:
        nonlocal n
        n += 1
        if n == 4:
            raise KeyboardInterrupt
        return plain(self, embeds)

    monkeypatch.setattr(Scorer, "gradient", stop)
    found, _ = outcome()
    assert (found.complete, found.last.index, found.trace.step) == (False, 2, [0, 1, 2])
