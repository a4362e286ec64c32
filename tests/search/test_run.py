"""Running a method: what is recorded, what is counted, and Ctrl-C."""

from __future__ import annotations

import pytest
import torch
from tests.tiny import tiny_model

from actmax.inputs.soft import VectorSpace, random_start
from actmax.models.sites import resolve
from actmax.objectives.activation import activation
from actmax.search.method import Method, Step, VectorState
from actmax.search.methods.soft_ascent import SoftAscent
from actmax.search.problem import Problem
from actmax.search.run import Outcome, Trace, run
from actmax.search.scorer import Scorer

MODEL = tiny_model("llama")
UNIT = resolve(MODEL, "hidden_states.2:9")
PROBLEM = Problem(
    activation(UNIT), VectorSpace(MODEL, random_start(MODEL, 4, range(3), seed=0), neighbors=(8, 10))
)


def outcome(steps: int = 10, stop_at: int | None = None) -> tuple[Outcome, list[Step]]:
    seen: list[Step] = []

    def watch(restart: int, step: Step, scorer: Scorer) -> None:
        seen.append(step)
        if step.index == stop_at:
            raise KeyboardInterrupt

    return run(SoftAscent(steps=steps, lr=0.01), PROBLEM, on_step=watch), seen


def recorded(found: Outcome) -> tuple[Trace, VectorState]:
    assert found.trace is not None
    assert found.last is not None
    return found.trace, found.last


def test_every_step_is_shown_and_recorded() -> None:
    found, seen = outcome()
    trace, last = recorded(found)
    assert isinstance(SoftAscent(), Method)
    assert found.complete
    assert [step.index for step in seen] == trace.step == list(range(11))
    assert {step.total for step in seen} == {10}
    for i, step in enumerate(seen):
        assert step.vectors is not None
        assert torch.equal(trace.activation[i], step.vectors.activation)
        assert torch.equal(trace.gradient_norm[i], step.vectors.gradient_norm)
        assert torch.equal(trace.neighbors[i], step.vectors.neighbors)
    assert last is seen[-1].vectors
    assert trace.neighbors.shape == (11, 3, 2)


def test_the_cost_is_what_went_through_the_model() -> None:
    """Three rows of four positions, eleven times forward and backward."""
    cost = outcome()[0].cost
    assert (cost.forward_tokens, cost.backward_tokens, cost.sequences_scored) == (132, 132, 33)
    assert cost.seconds > 0


@pytest.mark.parametrize("stop_at", [0, 4, 10])
def test_what_was_done_before_ctrl_c_is_kept(stop_at: int) -> None:
    whole, _ = outcome()
    cut, _ = outcome(stop_at=stop_at)
    assert not cut.complete
    trace = recorded(cut)[0]
    assert trace.step == list(range(stop_at + 1))
    assert torch.equal(trace.activation, recorded(whole)[0].activation[: stop_at + 1])


def test_ctrl_c_before_the_first_step_leaves_nothing_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Scorer, "vectors", stop)
    with pytest.raises(KeyboardInterrupt):
        outcome()


def test_ctrl_c_within_a_step_keeps_the_step_before(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Scorer.vectors
    n = 0

    def stop(self: Scorer, embeds: torch.Tensor) -> object:
        nonlocal n
        n += 1
        if n == 4:
            raise KeyboardInterrupt
        return plain(self, embeds)

    monkeypatch.setattr(Scorer, "vectors", stop)
    found, _ = outcome()
    assert (found.complete, recorded(found)[0].step) == (False, [0, 1, 2])
