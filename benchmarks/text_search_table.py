"""The tables of ``benchmarks/text_search.py``, from its lines, as Markdown."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

Line: TypeAlias = dict[str, Any]
Runs: TypeAlias = dict[str, dict[str, list[Line]]]
"""Method to unit to one line a seed."""

_REST = ("hybrid", "gcg", "epo", "beam")
"""Methods that a unit has to have before it counts in comparisons."""


def table(lines: Sequence[Line], limit: float) -> str:
    """All that the lines say."""
    free, limited = _sorted(lines, None), _sorted(lines, limit)
    parts = [
        "# Methods of text search, compared",
        "Made by `python benchmarks/text_search.py --save docs/search_table.md`: 12 tokens after BOS, read "
        "at the last one, 1,536 sequences scored, on the default model. What has been run stands at the end.",
        "Per unit the median over the seeds that have been run; ratios to the largest activation in the "
        "corpus. *Spread*: largest less smallest ratio over the seeds of a unit, and as a share of the "
        "unit's median, medians over units with at least two seeds. *Best on*: the units on which it has the "
        f"highest ratio, of those that {', '.join(f'`{one}`' for one in _REST)} were all run on. *CPU*: "
        "seconds of one core, the median of all runs, the winners' rescoring included. "
        f"*At most {limit:g} nats*: the best such sequence on the run's frontier, and on how many units "
        "there was one.",
        _main(free, limit),
        ""
        if not limited
        else f"With the limit of {limit:g} nats per token set (`--max-cross-entropy {limit:g}`):",
        _limited(limited) if limited else "",
        _compared(free),
        _covered(lines),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sorted(lines: Sequence[Line], limit: float | None) -> Runs:
    runs: Runs = defaultdict(lambda: defaultdict(list))
    for line in lines:
        if line["max_nats"] == limit:
            runs[line["method"]][line["unit"]].append(line)
    return runs


def _mid(lines: Sequence[Line], field: str) -> float | None:
    values = [line[field] for line in lines if line[field] is not None]
    return statistics.median(values) if values else None


def _mids(units: dict[str, list[Line]], field: str) -> list[float]:
    return [value for some in units.values() if (value := _mid(some, field)) is not None]


def _of(values: Sequence[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f}" if values else "-"


def _spread(units: dict[str, list[Line]]) -> str:
    """Over the seeds of a unit, and as a share of its median ratio."""
    found = [[line["ratio"] for line in some if line["ratio"] is not None] for some in units.values()]
    wide = [(max(ratios) - min(ratios), statistics.median(ratios)) for ratios in found if len(ratios) > 1]
    if not wide:
        return "-"
    return f"{_of([one for one, _ in wide])} ({_of([100 * one / abs(mid) for one, mid in wide], 0)} %)"


def _runs(units: dict[str, list[Line]]) -> str:
    return f"{sum(map(len, units.values()))} on {len(units)} units"


def _main(free: Runs, limit: float) -> str:
    rows = []
    best, of = _best_on(free)
    for method, units in free.items():
        ratios, fluent = _mids(units, "ratio"), _mids(units, "fluent_ratio")
        cpu = [line["cpu"] for some in units.values() for line in some]
        worst = min((line["ratio"] or 0.0) for some in units.values() for line in some)
        least = f", worst {min(fluent):.2f}" if fluent else ""
        wins = f"{best[method]}/{of}" if of and method in best else "-"
        rows.append(
            (
                -statistics.median(ratios or [0.0]),
                f"| `{method}` | {_of(ratios)} | {worst:.2f} | {wins} | {_spread(units)} "
                f"| {_of(fluent)}{least} ({len(fluent)}/{len(units)}) | {_of(cpu, 0)} | {_runs(units)} |",
            )
        )
    head = (
        f"| method | median ratio | worst run | best on | spread | at most {limit:g} nats | CPU | runs |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *(row for _, row in sorted(rows))])


def _best_on(free: Runs) -> tuple[dict[str, int], int]:
    """Units on which each method is the best, of those that the compared methods were all run on."""
    rest = [method for method in _REST if method in free]
    units = [unit for unit in free[rest[0]] if all(unit in free[one] for one in rest)] if rest else []
    wins = {method: 0 for method, own in free.items() if all(unit in own for unit in units)}
    for unit in units:
        there = [method for method in free if unit in free[method]]
        winner = max(there, key=lambda method: _mid(free[method][unit], "ratio") or 0.0)
        wins[winner] = wins.get(winner, 0) + 1
    return wins, len(units)


def _rivals(free: Runs) -> list[tuple[float, float]]:
    """For each run of hybrid its ratio and the highest of the other methods' on the same unit and seed."""
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for method, units in free.items():
        for mine, other in _pairs(free["hybrid"], units) if method != "hybrid" else ():
            key = mine["unit"], mine["seed"]
            _, best = found.get(key, (0.0, 0.0))
            found[key] = mine["ratio"] or 0.0, max(best, other["ratio"] or 0.0)
    return [pair for pair in found.values() if all(pair)]


def _limited(limited: Runs) -> str:
    rows = [
        "| method | median ratio | worst run | a result on | spread | CPU | runs |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, units in limited.items():
        ratios = _mids(units, "ratio")
        every = [line for some in units.values() for line in some]
        worst = min((line["ratio"] or 0.0) for line in every)
        rows.append(
            f"| `{method}` | {_of(ratios)} | {worst:.2f} | {len(ratios)}/{len(units)} units "
            f"| {_spread(units)} | {_of([line['cpu'] for line in every], 0)} | {_runs(units)} |"
        )
    if "hybrid" in limited:
        rows.append(f"\n`hybrid`: {_by_kind(limited['hybrid'])}.")
    return "\n".join(rows)


def _compared(free: Runs) -> str:
    """Hybrid against the best of the others, against GCG's seconds, and against EPO with a fifth."""
    if "hybrid" not in free:
        return ""
    hybrid = free["hybrid"]
    wins, of = _best_on(free)
    said = [
        f"- `hybrid` is the best on {wins['hybrid']} of {of} units, {_by_kind(hybrid)}.",
        f"- It is at least as good as {_one_by_one(free)}.",
    ]
    if rivals := _rivals(free):
        ahead = [mine / best for mine, best in rivals]
        said.append(
            f"- The best of all other methods, run by run (same unit and seed), has a median ratio of "
            f"{_of([best for _, best in rivals])}; `hybrid` has {_of(ahead)} times as much (median of "
            f"{len(rivals)} runs)."
        )
    pairs = _pairs(hybrid, free.get("gcg", {}))
    if pairs:
        times = _of([a["cpu"] / b["cpu"] for a, b in pairs])
        said.append(
            f"- Its CPU seconds are {times} times those of `gcg` (median of {len(pairs)} pairs of runs, same "
            "unit and seed)."
        )
    pairs = _pairs(hybrid, free.get("epo", {}))
    if pairs:
        fifths = [_after(a, b["sequences"] // 5) / b["activation"] for a, b in pairs if b["activation"]]
        reached = sum(one >= 1 for one in fifths)
        said.append(
            f"- After a fifth of the sequences it has {_of(fifths)} of the final activation of `epo` (median "
            f"of {len(fifths)} pairs), and at least all of it in {reached}."
        )
    return "\n".join(said)


def _one_by_one(free: Runs) -> str:
    """On how many units hybrid is at least as good as each other method, and by how much it is not."""
    mids = {
        method: {unit: _mid(runs, "ratio") or 0.0 for unit, runs in units.items()}
        for method, units in free.items()
    }
    said = []
    for method, there in mids.items():
        pairs = [(mids["hybrid"][unit], ratio) for unit, ratio in there.items() if unit in mids["hybrid"]]
        if method != "hybrid" and pairs:
            behind = [ratio / mine for mine, ratio in pairs if ratio > mine]
            most = f" (elsewhere this has at most {max(behind):.2f} times its ratio)" if behind else ""
            said.append(f"`{method}` on {len(pairs) - len(behind)} of {len(pairs)}{most}")
    return ", ".join(said)


def _by_kind(units: dict[str, list[Line]]) -> str:
    """The medians of neurons and of residual dimensions."""
    neurons = {unit: runs for unit, runs in units.items() if "mlp" in unit}
    others = {unit: runs for unit, runs in units.items() if unit not in neurons}
    medians = [_of(_mids(some, "ratio")) for some in (neurons, others)]
    return "median ratio {} on neurons and {} on residual dimensions".format(*medians)


def _pairs(one: dict[str, list[Line]], other: dict[str, list[Line]]) -> list[tuple[Line, Line]]:
    return [(a, b) for unit in one for a in one[unit] for b in other.get(unit, []) if a["seed"] == b["seed"]]


def _after(line: Line, sequences: int) -> float:
    return max((activation for at, activation in line["curve"] if at <= sequences), default=0.0)


def _covered(lines: Sequence[Line]) -> str:
    """Which units and seeds each method was run on."""
    units = list(dict.fromkeys(line["unit"] for line in lines))
    number = {unit: k for k, unit in enumerate(units, 1)}
    runs: dict[tuple[str, float | None, int], list[int]] = defaultdict(list)
    for line in lines:
        runs[line["method"], line["max_nats"], line["seed"]].append(number[line["unit"]])
    said = ["Units: " + ", ".join(f"{k}. `{unit}`" for unit, k in number.items()) + "."]
    for (method, limit, seed), found in runs.items():
        bound = "" if limit is None else f", at most {limit:g} nats"
        said.append(f"- `{method}`{bound}, seed {seed}: units {_ranges(sorted(found))}")
    return said[0] + "\n\n" + "\n".join(said[1:])


def _ranges(numbers: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
