"""``--length 1``: how often ``hybrid`` finds the optimum of ``exhaustive``, on the default model.

One pass over the vocabulary gives the optima of all units (the tokens after BOS, sinks left out, as
``exhaustive`` scores them). Then ``hybrid`` searches each unit, without starts from a corpus. ``--check``
runs ``exhaustive`` too, on the first unit of each block: it has to find the same optimum, and its CPU seconds
stand beside those of transformers' own blocks, as many as the unit needs, on the same tokens without BOS.

    python benchmarks/one_token.py                    # 40 units: about twenty minutes
    python benchmarks/one_token.py --units 10 --check
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from text_search import KINDS, public_units

from actmax.api.load import load
from actmax.inputs.allowed import Allowed, allowed_tokens
from actmax.inputs.frame import frame_of
from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.models.read import read, read_prefix
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import activation
from actmax.objectives.objective import Reading
from actmax.objectives.reading import ReadingRule
from actmax.search.problem import Problem
from actmax.search.registry import method_class
from actmax.search.run import run
from actmax.search.sinks import sinks_at

CHUNK = 1024
SEED = 13


def problem_of(model: Model, unit: Unit, allowed: Allowed) -> Problem:
    frame = frame_of(model)
    space = TokenSpace(model, allowed, frame, length=1)
    rule = ReadingRule(sinks_at(model, unit.site, space))
    return Problem(activation(unit, "last", rule=rule), space)


@torch.no_grad()
def optima(model: Model, problems: Sequence[Problem]) -> list[float]:
    """The largest activation of each unit over all tokens that may be given."""
    first = problems[0]
    ids = first.tokens.allowed.ids
    ids = ids[first.tokens.keep(ids[:, None])]
    sites = frozenset().union(*(problem.objective.needs for problem in problems))
    prefix = read_prefix(model, sites, torch.tensor([first.frame.before]))
    best = [-torch.inf] * len(problems)
    for part in ids.split(CHUNK):
        acts = read(model, sites, ids=part[:, None], prefix=prefix)
        for k, problem in enumerate(problems):
            score = problem.objective(Reading(acts, past=len(problem.frame.before)))
            best[k] = max(best[k], float(score.nan_to_num(-torch.inf).max()))
    return best


@torch.no_grad()
def bare(model: Model, problem: Problem) -> float:
    """CPU seconds of transformers' own forward pass over all tokens, as deep as the unit."""
    base, layer = model.net.base_model, problem.unit.site.layer
    layers: Any = base.layers
    assert layer is not None  # all units here are in a block
    base.layers = layers[: layer + 1]
    began = time.process_time()
    try:
        for part in problem.tokens.allowed.ids.split(CHUNK):
            base(input_ids=part[:, None], use_cache=False)
    finally:
        base.layers = layers
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=40)
    parser.add_argument("--unit-seed", type=int, default=SEED)
    parser.add_argument("--check", action="store_true", help="run `exhaustive` too, on one unit a block")
    options = parser.parse_args()
    model = load()
    names = public_units(model, options.units, options.unit_seed)
    allowed = allowed_tokens(model)
    problems = [problem_of(model, resolve(model, name), allowed) for name in names]
    began = time.process_time()
    best = optima(model, problems)
    print(f"the optima of {len(names)} units: {time.process_time() - began:.0f} s of CPU", flush=True)
    found: dict[str, list[tuple[bool, float, float, float]]] = {kind: [] for kind in KINDS}
    for k, (name, problem, optimum) in enumerate(zip(names, problems, best, strict=True)):
        began = time.process_time()
        outcome = run(method_class("hybrid")(), problem, len(problem.tokens.allowed.ids), restarts=1)
        cpu = time.process_time() - began
        got = -torch.inf if outcome.best is None else outcome.best.score
        share = outcome.cost.sequences_scored / len(problem.tokens.allowed.ids)
        exact = got >= optimum - 1e-4 * abs(optimum)
        found[next(kind for kind in KINDS if kind in name)].append((exact, got / optimum, share, cpu))
        line = f"{name:32} {'exact' if exact else '     '} {got / optimum:5.2f}"
        line += f", {share:.2%} of the vocabulary scored, {cpu:.0f} s of CPU"
        if options.check and k < 5:
            began = time.process_time()
            whole = run(
                method_class("exhaustive")(),
                problem,
            )
            assert whole.best is not None
            assert abs(whole.best.score - optimum) <= 1e-4 * abs(optimum)
            seconds = time.process_time() - began
            plain = bare(model, problem)
            line += f" (exhaustive {seconds:.0f} s, the bare pass {plain:.0f} s, ratio {seconds / plain:.2f})"
        print(line, flush=True)
    everything = [line for lines in found.values() for line in lines]
    for kind, lines in [*found.items(), ("all", everything)]:
        if lines:
            ratios = [line[1] for line in lines]
            print(
                f"{kind}: the optimum on {sum(line[0] for line in lines)} of {len(lines)} units, "
                f"of its activation {statistics.mean(ratios):.2f} (mean), {min(ratios):.2f} (worst); "
                f"at most {max(line[2] for line in lines):.2%} of the vocabulary scored, "
                f"{statistics.median(line[3] for line in lines):.0f} s of CPU (median)"
            )


if __name__ == "__main__":
    main()
