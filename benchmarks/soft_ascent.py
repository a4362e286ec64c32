"""Soft ascent against the tutorial's loop, side by side in one run.

The loop that tutorials show runs the whole model with ``output_hidden_states=True``, one restart after
another. actmax stops at the unit's block and runs all restarts as one batch. This script runs both on the
same starts, prints the ratio of their times, how far actmax is from the floor (the bare matrix products of
the blocks that are run, forward and backward), and how far the two trajectories are apart: in float64, where
rounding plays no part, they must be one and the same.

    python benchmarks/soft_ascent.py            # default model and a full-size random GPT-2
    python benchmarks/soft_ascent.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.pytorch_utils import Conv1D

from actmax.api.load import load
from actmax.inputs.soft import VectorSpace, random_start
from actmax.models.load import wrap
from actmax.models.model import Model
from actmax.models.sites import resolve
from actmax.objectives.activation import activation
from actmax.objectives.penalties import squared_norm
from actmax.search.methods.soft_ascent import SoftAscent
from actmax.search.problem import Problem
from actmax.search.run import run

STATE, INDEX, LENGTH, RESTARTS, L2, LR = 4, 90, 5, 10, 0.01, 0.001


def tutorial(model: Model, start: Tensor, steps: int) -> Tensor:
    """The loop as it is taught: ``[step, restart]`` activations."""
    columns = []
    for row in start:
        theta = row[None].clone().requires_grad_()
        adam = torch.optim.Adam([theta], lr=LR)
        seen = []
        for _ in range(steps):
            output = model.net(inputs_embeds=theta, output_hidden_states=True)
            a = output.hidden_states[STATE][0, :, INDEX].mean()
            loss = -a + L2 * theta.square().sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
            seen.append(a.detach())
        columns.append(torch.stack(seen))
    return torch.stack(columns, dim=1)


def ours(model: Model, start: Tensor, steps: int) -> Tensor:
    """The same through actmax: ``[step, restart]`` activations."""
    unit = resolve(model, f"hidden_states.{STATE}:{INDEX}")
    objective = activation(unit) - L2 * squared_norm()
    outcome = run(SoftAscent(steps=steps, lr=LR), Problem(objective, VectorSpace(model, start)))
    assert outcome.trace is not None
    return outcome.trace.activation[
        :-1
    ]  # the last row is after the last update, which the loop does not read


def floor(model: Model, start: Tensor, steps: int) -> None:
    """The matrix products alone: every weight of the blocks run, times the batch, forward and backward."""
    rows = start.shape[0] * start.shape[1]
    pairs = []
    for layer in range(STATE):
        block = model.net.get_submodule(f"{model.family.blocks}.{layer}")
        for module in block.modules():
            if isinstance(module, nn.Linear):
                pairs.append((module.weight.T, torch.randn(rows, module.in_features)))
            elif isinstance(module, Conv1D):
                pairs.append((module.weight, torch.randn(rows, module.weight.shape[0])))
    with torch.no_grad():
        for _ in range(steps):
            for weight, x in pairs:
                y = x @ weight
                torch.mm(y, weight.T)


def random_gpt2() -> Model:
    """GPT-2 small's size with random weights: its time does not depend on what it has learnt."""
    from tokenizers import Tokenizer, models

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = GPT2LMHeadModel(GPT2Config())
    return wrap(net, tokenizer, name="gpt2 (random weights)")


def timed(what: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def apart(model: Model, start: Tensor, steps: int) -> float:
    """The largest difference of the two trajectories."""
    return float((tutorial(model, start, steps) - ours(model, start, steps)).abs().max())


def compare(model: Model, steps: int, rounds: int) -> None:
    """Print one model's row; the three are timed in turn in every round, and medians compared."""
    start = random_start(model, LENGTH, range(RESTARTS), seed=0)
    single = apart(model, start, 5)  # also warms up
    times: dict[str, list[float]] = {"tutorial": [], "ours": [], "floor": []}
    for _ in range(rounds):
        times["tutorial"].append(timed(lambda: tutorial(model, start, steps)) / steps)
        times["ours"].append(timed(lambda: ours(model, start, steps * 10)) / (steps * 10 + 1))
        times["floor"].append(timed(lambda: floor(model, start, steps * 10)) / (steps * 10))
    loop, mine, bare = (statistics.median(times[name]) for name in ("tutorial", "ours", "floor"))
    ratios = [a / b for a, b in zip(times["tutorial"], times["ours"], strict=True)]
    model.net.double()
    double = apart(replace(model), start.double(), 5)
    print(f"{model.name}: hidden_states.{STATE}:{INDEX}, {RESTARTS} restarts of {LENGTH} positions")
    print(f"  tutorial's loop   {loop * 1e3:8.1f} ms a step of all restarts (median of {rounds} rounds)")
    print(f"  actmax            {mine * 1e3:8.1f} ms")
    print(
        f"  ratio             {loop / mine:8.1f} x   (single rounds: {min(ratios):.1f} to {max(ratios):.1f})"
    )
    print(f"  matrix products   {bare * 1e3:8.1f} ms; actmax takes {mine / bare:.2f} x that floor")
    print(f"  trajectories over 5 steps differ by {single:.1g} in float32, {double:.1g} in float64")
    if double > 1e-9:
        raise SystemExit("the two loops disagree")


def main() -> None:
    """Run on both models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=2, help="steps of the tutorial's loop a round")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32, CPU")
    for make in (load, random_gpt2):
        compare(make(), given.steps, given.rounds)


if __name__ == "__main__":
    main()
