"""Methods × units × seeds under one budget, on the default model: the table of ``docs/search.md``.

Every run is appended to a file as it ends, and a script that is started again goes on with what is missing:
the whole of it takes hours on two cores. Ratios are to the largest activation over 51,200 tokens of the
corpus (sinks and position 0 left out), read in this script too.

    python benchmarks/text_search.py --quick                   # 2 units, 1 seed: minutes
    python benchmarks/text_search.py --units 8 --seeds 1 --methods gcg epo beam
    python benchmarks/text_search.py                           # 24 units, 3 seeds, every method
    python benchmarks/text_search.py --max-nats 5              # the same, text of at most 5 nats per token
    python benchmarks/text_search.py --table                   # print and save the table, run nothing
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from actmax.inputs.allowed import allowed_tokens
from actmax.inputs.bos import bos_id
from actmax.inputs.frame import frame_of
from actmax.models.load import load
from actmax.models.model import Model
from actmax.models.residual import residual_at
from actmax.models.sites import resolve, width
from actmax.observe.corpus import open_corpus
from actmax.observe.reading import positions, read_units
from actmax.observe.windows import windows_of
from actmax.search.goal import Goal, Sinks
from actmax.search.identity import model_hash
from actmax.search.meter import Budget
from actmax.search.registry import text_method, text_methods
from actmax.search.text_method import Row, TextProblem
from actmax.search.text_run import TextOutcome, run_text

BLOCKS = (2, 8, 14, 20, 27)
KINDS = ("mlp.hook_post", "hook_resid_post")
SEED, UNITS, TOKENS, LIMIT, STARTS = 7, 24, 51_200, 5.0, 16


def public_units(model: Model, n: int, seed: int = SEED) -> list[str]:
    """``n`` units, the blocks and kinds in turn, the indices drawn."""
    rng = np.random.default_rng(seed)
    names = []
    for i in range(n):
        site = f"blocks.{BLOCKS[i % len(BLOCKS)]}.{KINDS[i % len(KINDS)]}"
        names.append(f"{site}:{int(rng.integers(width(model, resolve(model, site + ':0').site)))}")
    return names


def observed(model: Model, names: Sequence[str], length: int, file: Path) -> dict[str, Any]:
    """Per unit: the extremes in the corpus, the text before them, the residual's median norm."""
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    missing = [name for name in names if name not in known]
    if missing:
        windows = windows_of(
            open_corpus("wikipedia-excerpt", model.tokenizer, max_tokens=TOKENS),
            bos=bos_id(model.tokenizer),
            max_tokens=TOKENS,
        )
        units = [resolve(model, name) for name in missing]
        began = time.perf_counter()
        readings = read_units(model, units, windows)
        print(f"read {windows.n_tokens} tokens for {len(units)} units in {time.perf_counter() - began:.0f} s")
        _, document, valid = positions(windows, readings.n_windows)
        for k, unit in enumerate(units):
            kept = valid & ~readings.sinks(k, valid)
            depth = residual_at(model, unit.site)
            median = None
            if depth is not None:
                median = float(np.median(readings.norms[readings.depths.index(depth)][valid]))
            entry: dict[str, Any] = {"median": median, "tokens": windows.n_tokens}
            for name, sign in (("max", 1.0), ("min", -1.0)):
                values = np.where(kept, sign * readings.values[k], -np.inf)
                rows: list[Row] = []
                seen: set[int] = set()
                for row in np.argsort(-values.max(axis=1), kind="stable"):
                    column = int(values[row].argmax())
                    ids = windows.batch(int(row), int(row) + 1).ids[0, 1 : column + 1].tolist()
                    if len(ids) >= length and int(document[row]) not in seen:
                        seen.add(int(document[row]))
                        rows.append(tuple(ids[-length:]))
                    if len(rows) == STARTS:
                        break
                entry[name] = {"value": float(sign * values.max()), "starts": rows}
            known[unit.name] = entry
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known))
    return known


def problem_of(
    model: Model, name: str, length: int, seen: dict[str, Any], max_nats: float | None
) -> TextProblem:
    unit = resolve(model, name)
    residual = residual_at(model, unit.site)
    sinks = None if residual is None else Sinks(residual, seen["median"])
    goal = Goal(unit, "last", sinks=sinks, max_nats=max_nats)
    starts = tuple(tuple(row[-length:]) for row in seen["max"]["starts"])
    return TextProblem(model, goal, length, allowed_tokens(model), frame_of(model), starts=starts)


def record(name: str, method: str, seed: int, corpus: float, outcome: TextOutcome) -> dict[str, Any]:
    """One line of the file."""
    best = outcome.best
    fluent = [one for one in outcome.frontier if one.nats <= LIMIT]
    return {
        "unit": name,
        "method": method,
        "seed": seed,
        "activation": None if best is None else best.activation,
        "ratio": None if best is None else best.activation / corpus,
        "nats": None if best is None else best.nats,
        "ids": None if best is None else best.ids,
        "fluent_ratio": fluent[0].activation / corpus if fluent else None,
        "curve": [[one.at, one.activation] for one in outcome.runs[0].curve],
        "restarts": len(outcome.runs),
        "ended": outcome.runs[-1].ended,
        "sequences": outcome.cost.sequences_scored,
        "forward_tokens": outcome.cost.forward_tokens,
        "backward_tokens": outcome.cost.backward_tokens,
        "seconds": outcome.cost.seconds,
    }


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Methods by their median ratio, as Markdown."""
    units = sorted({line["unit"] for line in lines})
    by: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        by[line["method"]][line["unit"]].append(line)

    def mid(method: str, unit: str, field: str) -> float | None:
        values = [line[field] for line in by[method].get(unit, []) if line[field] is not None]
        return statistics.median(values) if values else None

    winner = {u: max(by, key=lambda m: mid(m, u, "ratio") or -np.inf) for u in units}
    rows = []
    for method, runs in by.items():
        ratios = [r for u in runs if (r := mid(method, u, "ratio")) is not None]
        fluent = [r for u in runs if (r := mid(method, u, "fluent_ratio")) is not None]
        spreads = [
            max(found) - min(found)
            for u in runs
            if len(found := [line["ratio"] for line in runs[u] if line["ratio"] is not None]) > 1
        ]
        seconds = [line["seconds"] for u in runs for line in runs[u]]
        rows.append(
            (
                -statistics.median(ratios) if ratios else np.inf,
                f"| {method} | {_of(ratios)} | {min(ratios, default=float('nan')):.2f} | {_of(spreads)} "
                f"| {_of(fluent)} ({len(fluent)}/{len(runs)}) "
                f"| {sum(w == method for w in winner.values())}/{len(units)} "
                f"| {statistics.median(seconds):.0f} |",
            )
        )
    head = (
        "| method | median ratio | worst | spread over seeds | at most 5 nats (units) | best on | seconds |\n"
        "|---|---|---|---|---|---|---|"
    )
    seeds = len({line["seed"] for line in lines})
    note = f"{len(units)} units, {seeds} seed{'s' * (seeds > 1)}, per unit the median over seeds.\n\n"
    return note + "\n".join([head, *(row for _, row in sorted(rows))]) + "\n"


def _of(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f}" if values else "-"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--unit-seed", type=int, default=SEED)
    parser.add_argument("--methods", nargs="+", default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--length", type=int, default=12)
    parser.add_argument("--budget", type=int, default=1536)
    parser.add_argument("--max-nats", type=float, default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="2 units, 1 seed")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=Path("build/text_search"))
    options = parser.parse_args()
    n_units, seeds = (2, 1) if options.quick else (options.units, options.seeds)
    limit = "" if options.max_nats is None else f"-{options.max_nats:g}nats"
    stem = f"{options.length}tokens-{options.budget}{limit}"
    file = options.out / f"{stem}.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if not options.table:
        methods = options.methods or [
            name for name in text_methods() if options.length == 1 or name != "exhaustive"
        ]
        model = load(device=options.device)
        names = public_units(model, n_units, options.unit_seed)
        seen = observed(model, names, options.length, options.out / f"corpus-{options.length}.json")
        asked = f"{n_units} units, {seeds} seeds, budget {options.budget}"
        print(f"{model_hash(model)}, {asked}: {', '.join(methods)}")
        done = {(line["unit"], line["method"], line["seed"]) for line in lines}
        for seed in range(seeds):
            for name in names:
                problem = problem_of(model, name, options.length, seen[name], options.max_nats)
                for method in methods:
                    if (name, method, seed) in done:
                        continue
                    outcome = run_text(text_method(method), problem, Budget(options.budget), seed=seed)
                    line = record(name, method, seed, seen[name]["max"]["value"], outcome)
                    lines.append(line)
                    with file.open("a") as out:
                        out.write(json.dumps(line) + "\n")
                    ratio = "none" if line["ratio"] is None else f"{line['ratio']:.2f}"
                    print(
                        f"{name:32} {method:10} seed {seed}: {ratio:>5}, {line['seconds']:.0f} s", flush=True
                    )
    if lines:
        text = table(lines)
        (options.out / f"{stem}.md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
