"""Methods × units × seeds under one budget, on the default model: ``docs/search_table.md``.

Every run is appended to a file as it ends, and a script that is started again goes on with what is missing:
the whole of it takes many hours on one core. It goes over all units at once, stage by stage (:func:`cells`),
so that what is there at any time covers about the same for all units. Ratios are to the largest activation
over 51,200 tokens of the corpus (sinks and position 0 left out), read in this script too.

    python benchmarks/text_search.py --quick                   # 2 units, 1 seed: minutes
    python benchmarks/text_search.py --units 8 --seeds 1 --methods gcg epo beam
    python benchmarks/text_search.py --save docs/search_table.md  # 24 units, 3 seeds, every method
    python benchmarks/text_search.py --part 1/2                # two processes share the work: and --part 2/2
    python benchmarks/text_search.py --table                   # print the table, run nothing
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from text_search_table import table

from actmax.api.load import load
from actmax.corpus.corpus import open_corpus
from actmax.corpus.reading import positions, read_units
from actmax.corpus.windows import windows_of
from actmax.inputs.allowed import allowed_tokens
from actmax.inputs.bos import bos_id
from actmax.inputs.frame import frame_of
from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.models.sinks import Sinks, residual_at
from actmax.models.sites import resolve, width
from actmax.objectives.activation import activation
from actmax.objectives.reading import ReadingRule
from actmax.search.identity import model_hash
from actmax.search.problem import Problem, Row
from actmax.search.registry import method_class, token_methods
from actmax.search.run import Outcome, run

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
    model: Model, name: str, length: int, seen: dict[str, Any], max_cross_entropy: float | None
) -> Problem:
    unit = resolve(model, name)
    residual = residual_at(model, unit.site)
    sinks = None if residual is None else Sinks(residual, seen["median"])
    objective = activation(unit, "last", rule=ReadingRule(sinks))
    starts = tuple(tuple(row[-length:]) for row in seen["max"]["starts"])
    return Problem(
        objective,
        TokenSpace(
            model,
            allowed_tokens(model),
            frame_of(model),
            length=length,
            max_cross_entropy=max_cross_entropy,
            starts=starts,
        ),
    )


def read_lines(file: Path) -> list[dict[str, Any]]:
    """What has been run, by whichever process."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def record(
    name: str, method: str, seed: int, limit: float | None, corpus: float, outcome: Outcome, cpu: float
) -> dict[str, Any]:
    """One line of the file."""
    best = outcome.best
    fluent = [one for one in outcome.frontier if one.nats <= LIMIT]
    return {
        "unit": name,
        "method": method,
        "seed": seed,
        "max_cross_entropy": limit,
        "corpus": corpus,
        "activation": None if best is None else best.activation,
        "ratio": None if best is None else best.activation / corpus,
        "nats": None if best is None else best.nats,
        "ids": None if best is None else best.ids,
        "fluent_ratio": fluent[0].activation / corpus if fluent else None,
        "curve": sorted([one.at, one.activation] for run in outcome.restarts for one in run.curve),
        "restarts": len(outcome.restarts),
        "ended": outcome.restarts[-1].ended,
        "sequences": outcome.cost.sequences_scored,
        "forward_tokens": outcome.cost.forward_tokens,
        "backward_tokens": outcome.cost.backward_tokens,
        "seconds": outcome.cost.seconds,
        "cpu": cpu,
    }


def cells(
    names: Sequence[str], methods: Sequence[str], seeds: int
) -> Iterator[tuple[str, str, int, float | None]]:
    """Unit, method, seed, limit: stage by stage over all units, what the claims are about first."""
    first: list[tuple[str, float | None]] = [("hybrid", None), ("gcg", None)]
    second: list[tuple[str, float | None]] = [("epo", None), ("beam", None)]
    limited: list[tuple[str, float | None]] = [("hybrid", LIMIT), ("beam", LIMIT)]
    known = {method for method, _ in [*first, *second]}
    rest: list[tuple[str, float | None]] = [(method, None) for method in methods if method not in known]
    order = [(first, 0), (second, 0), (limited, 0)]
    order += [(stage, seed) for stage in (first, second) for seed in range(1, seeds)]
    order += [(rest, seed) for seed in range(seeds)]
    order += [(limited, seed) for seed in range(1, seeds)]
    for stage, seed in order:
        for name in names:
            for method, limit in stage:
                if method in methods:
                    yield name, method, seed, limit


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
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--part", default="1/1", help="K/N: every N-th unit, from the K-th on")
    parser.add_argument("--quick", action="store_true", help="2 units, 1 seed")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--save", type=Path, default=None, help="where the table is written after every run")
    parser.add_argument("--out", type=Path, default=Path("build/text_search"))
    options = parser.parse_args()
    n_units, seeds = (2, 1) if options.quick else (options.units, options.seeds)
    file = options.out / f"runs-{options.length}tokens-{options.budget}.jsonl"
    lines = read_lines(file)
    if not options.table:
        methods = options.methods or [
            name for name in token_methods() if options.length == 1 or name != "exhaustive"
        ]
        model = load(device=options.device)
        names = public_units(model, n_units, options.unit_seed)
        seen = observed(model, names, options.length, options.out / f"corpus-{options.length}.json")
        asked = f"{n_units} units, {seeds} seeds, budget {options.budget}"
        print(f"{model_hash(model)}, {asked}: {', '.join(methods)}")
        done = {(line["unit"], line["method"], line["seed"], line["max_cross_entropy"]) for line in lines}
        part, parts = map(int, options.part.split("/"))
        for cell in cells(names[part - 1 :: parts], methods, seeds):
            if cell in done:
                continue
            name, method, seed, limit = cell
            problem = problem_of(model, name, options.length, seen[name], limit)
            began = time.process_time()
            outcome = run(method_class(method)(), problem, options.budget, seed=seed)
            cpu = time.process_time() - began
            line = record(*cell, seen[name]["max"]["value"], outcome, cpu)
            with file.open("a") as out:
                out.write(json.dumps(line) + "\n")
            lines = read_lines(file)
            ratio = "none" if line["ratio"] is None else f"{line['ratio']:.2f}"
            bound = "" if limit is None else f" at most {limit:g} nats"
            print(f"{name:32} {method:10} seed {seed}{bound}: {ratio:>5}, {cpu:.0f} s of CPU", flush=True)
            if options.save is not None:
                options.save.write_text(table(lines, LIMIT))
    if lines:
        print(table(lines, LIMIT))
        if options.save is not None:
            options.save.write_text(table(lines, LIMIT))


if __name__ == "__main__":
    main()
