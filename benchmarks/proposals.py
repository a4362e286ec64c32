"""What a substitution gains that was proposed at the embedding, behind the first block, or by nobody.

On units of the default model, other ones than those of ``text_search.py``: ``hybrid`` searches for some
sequences, and in the best row every token is replaced by tokens that each kind proposes (ranks are drawn
log-uniformly, as ``hybrid`` draws them). Printed: the share of the children that are better than the row, and
the mean of what they gain (none where they are worse), in per cent of the row's activation.

    python benchmarks/proposals.py --units 10
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path

import torch
from text_search import observed, problem_of, public_units

from actmax.api.load import load
from actmax.search.after_block import after_first_block
from actmax.search.hybrid.moves import proposed
from actmax.search.methods.hybrid import Hybrid
from actmax.search.problem import Problem
from actmax.search.run import run
from actmax.search.scorer import Scorer

SEED, LENGTH, EACH, TOP = 11, 12, 20, 128
STAGES = (60, 200, 600)
KINDS = ("embedding", "after the first block", "uniform")


def gains(problem: Problem, sequences: int) -> dict[str, torch.Tensor]:
    """Kind to the relative gains of its children, minus one where nothing may be read."""
    best = run(Hybrid(), problem, sequences).best
    assert best is not None
    row, scorer, rng = torch.tensor([best.ids]), Scorer(problem), torch.Generator().manual_seed(0)
    block = after_first_block(problem, scorer.meter, rng, len(problem.tokens.allowed.ids))
    both = scorer.proposals(row, TOP, block=block).tokens[0]
    allowed = problem.tokens.allowed.ids
    drawn = allowed[torch.randint(len(allowed), (LENGTH, TOP), generator=rng)]
    start = float(scorer.ids(row).scores[0])
    found = {}
    for kind, tokens in zip(KINDS, (both[:, 0::2], both[:, 1::2], drawn), strict=True):
        rows = row.repeat(EACH * LENGTH, 1)
        for k in range(len(rows)):
            rows[k, k % LENGTH] = proposed(tokens[k % LENGTH], rng)
        gain = (scorer.ids(rows, base=row).scores - start) / abs(start)
        found[kind] = torch.where(gain.isfinite(), gain, -1.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("build/proposals"))
    options = parser.parse_args()
    model = load(device=options.device)
    names = public_units(model, options.units, SEED)
    seen = observed(model, names, LENGTH, options.out / f"corpus-{LENGTH}.json")
    better: dict[tuple[int, str], list[float]] = defaultdict(list)
    mean: dict[tuple[int, str], list[float]] = defaultdict(list)
    for name in names:
        problem = problem_of(model, name, LENGTH, seen[name], None)
        for sequences in STAGES:
            for kind, gain in gains(problem, sequences).items():
                better[sequences, kind].append(float((gain > 0).float().mean()))
                mean[sequences, kind].append(100 * float(gain.clamp_min(0).mean()))
        print(name, flush=True)
    print(f"\nMedians of {len(names)} units:\n\n| sequences | proposed by | better | mean gain, % |")
    print("|---|---|---|---|")
    for (sequences, kind), shares in better.items():
        middle = statistics.median(mean[sequences, kind])
        print(f"| {sequences} | {kind} | {statistics.median(shares):.2f} | {middle:.2f} |")


if __name__ == "__main__":
    main()
