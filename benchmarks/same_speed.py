"""Is one checkout slower than another? The same command lines through both, in turn, in one run.

    python benchmarks/same_speed.py OLD NEW [--pairs 7] [--only soft atlas select hybrid]

Workloads are those of ``soft_ascent.py``, ``atlas.py`` and ``select_stats.py``, through the command line, and
one ``hybrid`` search. Each pair runs old and new next to each other, on one thread, the order changing from
pair to pair, and gives one ratio new / old; printed are the median of the ratios, the smallest and the
largest. Compared is processor time, less what the process needs before the work (its ``sites`` command,
which loads the model, in the same pair); ``--wall`` compares wall time, which other programs disturb.

The exit code is 1 where a median is above ``--most`` (1.03).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from checkouts import Checkout, Done, private_cache

WORKLOADS = {
    "start": "sites --quiet",
    "soft": "maximize hidden_states.4:90 --restarts 10 --steps 400 --quiet --out out",
    "soft-deep": "maximize blocks.12.mlp.hook_post:5 --restarts 10 --steps 60 --quiet --out out",
    "atlas": "atlas build atlas --sites *.mlp.hook_post --sites *.hook_resid_post --max-tokens 8000 --quiet",
    "select": "select --a nouns --b verbs --corpus none --quiet --out out",
    "hybrid": "maximize hidden_states.4:90 --method hybrid --seed 1 --quiet --out out",
}
"""Name to command line; ``start`` is what is taken off the others."""


def run(side: Checkout, name: str, scratch: Path, *, wall: bool) -> float:
    """Seconds of one command line of a checkout, in a fresh folder.

    Raises:
        SystemExit: it failed.
    """
    cache = private_cache(scratch / f"cache-{side.folder.name}")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        done: Done = side.run(WORKLOADS[name].split(), Path(folder), cache)
    if done.code:
        raise SystemExit(f"{name} of {side.folder} ended with {done.code}: {done.stderr[-500:].strip()}")
    return done.seconds if wall else done.cpu


def pair(
    sides: tuple[Checkout, Checkout], name: str, scratch: Path, number: int, *, wall: bool
) -> list[float]:
    """Seconds of old and new, measured next to each other, each less its own start."""
    seconds = [0.0, 0.0]
    for which in (0, 1) if number % 2 == 0 else (1, 0):
        whole = run(sides[which], name, scratch, wall=wall)
        seconds[which] = whole if name == "start" else whole - run(sides[which], "start", scratch, wall=wall)
    return seconds


def compare(sides: tuple[Checkout, Checkout], name: str, scratch: Path, pairs: int, *, wall: bool) -> float:
    """Print a workload's line, and give its median ratio."""
    pair(sides, name, scratch, 0, wall=wall)  # fetches and tokenises what is missing; not counted
    times = [pair(sides, name, scratch, number, wall=wall) for number in range(pairs)]
    ratios = [new / old for old, new in times]
    old, new = (statistics.median(column) for column in zip(*times, strict=True))
    middle = statistics.median(ratios)
    spread = f"({min(ratios):.3f} to {max(ratios):.3f})"
    print(f"{name:10} old {old:7.2f} s  new {new:7.2f} s  new / old {middle:.3f} {spread}", flush=True)
    return middle


def main() -> int:
    """Compare, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("places", nargs="*", type=Path, metavar="OLD NEW", help="two checkouts")
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="pairs of each workload (5)")
    parser.add_argument("--only", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--wall", action="store_true", help="compare wall time")
    parser.add_argument("--most", type=float, default=1.03, metavar="X", help="largest median that passes")
    given = parser.parse_args()
    if not given.places:
        print("Nothing to compare: give two checkouts (see --help).")
        return 0
    if len(given.places) != 2:
        parser.error("give two checkouts, OLD and NEW")
    old, new = given.places
    unit = "wall" if given.wall else "processor"
    print(f"{given.pairs} pairs, one thread, {unit} time less that of starting")
    with tempfile.TemporaryDirectory() as scratch, Checkout(old) as first, Checkout(new) as second:
        medians = {
            name: compare((first, second), name, Path(scratch), given.pairs, wall=given.wall)
            for name in given.only
        }
    slower = [name for name, ratio in medians.items() if ratio > given.most and name != "start"]
    if slower:
        print(f"Slower than {given.most:g}: {', '.join(slower)}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
