"""How long the statistics of all units take, beside the library's own array call and a loop over units.

    python benchmarks/select_stats.py [--units N] [--loop 300] [--repeats 5] [--sizes 100x100 500x500]

All sides run in this process, on one thread, on the same activations, in turns. The loop calls the library
once per unit, for ``--loop`` units drawn evenly over all, and its time for all units is extrapolated in
proportion (a loop over units has no other cost than its units); ``--loop 0`` loops over all units. The array
call is the library's function on the whole array at once, where it has one: what a reader would write who
knows its ``axis`` argument. Each side computes what is compared, and no more. The last column is the largest
difference from the loop over the looped units, relative where a number is above 1. Ratios are medians over
the repeats of ratios measured next to each other, with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy
import scipy.stats as scipy_stats
import sklearn
import statsmodels
import statsmodels.api as sm
from threadpoolctl import threadpool_limits

from actmax.stats.correlates import correlate
from actmax.stats.effect import cohens_d
from actmax.stats.logistic import Status, logistic
from actmax.stats.permutation import max_statistic
from actmax.stats.ranks import mann_whitney
from actmax.stats.ttest import paired, welch

Arrays = tuple[np.ndarray, ...]


class Race(NamedTuple):
    """A function of all units, and the library's function of one."""

    name: str
    ours: Callable[[np.ndarray], Any]
    read: Callable[[Any], Arrays]
    theirs: Callable[[np.ndarray], tuple[float, ...]]
    array: Callable[[np.ndarray], Any] | None = None
    """The library's call for all units, where it has one."""


def activations(rng: np.random.Generator, labels: np.ndarray, units: int) -> np.ndarray:
    """float32; most units weakly selective, a third of them mostly zero, a tenth far from zero."""
    values = rng.standard_normal((len(labels), units), dtype=np.float32)
    values += labels[:, None] * rng.normal(0, 0.3, units).astype(np.float32)
    values[:, ::3] = np.maximum(values[:, ::3], 0)
    values[:, 1::10] += 500
    return values


def races(labels: np.ndarray, covariate: np.ndarray, control: np.ndarray) -> list[Race]:
    half = len(labels) // 2
    design = np.column_stack([np.ones(len(labels)), covariate, control])
    y = labels.astype(np.float64)

    def their_welch(x: np.ndarray) -> tuple[float, ...]:
        result = scipy_stats.ttest_ind(x[labels], x[~labels], equal_var=False)
        return result.statistic, result.pvalue

    def their_paired(x: np.ndarray) -> tuple[float, ...]:
        result = scipy_stats.ttest_rel(x[:half], x[half : 2 * half])
        return result.statistic, result.pvalue

    def their_ranks(x: np.ndarray) -> tuple[float, ...]:
        result = scipy_stats.mannwhitneyu(x[labels], x[~labels])
        return result.statistic, result.pvalue

    def their_logistic(x: np.ndarray) -> tuple[float, ...]:
        fit = sm.Logit(y, np.column_stack([np.ones(len(x)), x - x.mean()])).fit(disp=0)
        return fit.params[1], fit.bse[1], fit.pvalues[1], np.mean((fit.predict() > 0.5) == labels)

    def their_pearson(x: np.ndarray) -> tuple[float, ...]:
        result = scipy_stats.pearsonr(x, covariate)
        return result.statistic, result.pvalue

    def their_partial(x: np.ndarray) -> tuple[float, ...]:
        return (sm.OLS(x, design).fit().pvalues[1],)

    def read_logistic(result: Any) -> Arrays:
        ok = np.where(result.status == Status.OK, 1.0, np.nan)
        return result.slope * ok, result.standard_error * ok, result.p * ok, result.accuracy * ok

    return [
        Race(
            "Welch t, p",
            lambda v: welch(v, labels),
            lambda r: (r.t, r.p),
            their_welch,
            lambda v: scipy_stats.ttest_ind(v[labels], v[~labels], axis=0, equal_var=False),
        ),
        Race(
            "paired t, p",
            lambda v: paired(v[:half], v[half : 2 * half]),
            lambda r: (r.t, r.p),
            their_paired,
            lambda v: scipy_stats.ttest_rel(v[:half], v[half : 2 * half], axis=0),
        ),
        Race(
            "Mann-Whitney U, p",
            lambda v: mann_whitney(v, labels),
            lambda r: (r.u, r.p),
            their_ranks,
            lambda v: scipy_stats.mannwhitneyu(v[labels], v[~labels], axis=0),
        ),
        Race("logistic slope, se, p, accuracy", lambda v: logistic(v, labels), read_logistic, their_logistic),
        Race(
            "Pearson r, p",
            lambda v: correlate(v, covariate),
            lambda r: (r.r, r.p),
            their_pearson,
            lambda v: scipy_stats.pearsonr(v, np.broadcast_to(covariate[:, None], v.shape), axis=0),
        ),
        Race(
            "partial correlation p",
            lambda v: correlate(v, covariate, control[:, None]),
            lambda r: (r.p,),
            their_partial,
        ),
    ]


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(theirs: list[float], ours: list[float]) -> str:
    """The median of the ratios of neighbouring measurements, with the smallest and the largest."""
    each = np.array(theirs) / np.array(ours)
    return f"{np.median(each):.1f}x ({each.min():.1f} to {each.max():.1f})"


def run(race: Race, values: np.ndarray, looped: np.ndarray, repeats: int) -> str:
    columns = [np.ascontiguousarray(values[:, unit], dtype=np.float64) for unit in looped]
    wide = values.astype(np.float64)
    race.ours(values[:, :64])
    result, theirs = race.ours(values), np.array([race.theirs(column) for column in columns])
    ours: list[float] = []
    loop: list[float] = []
    array: list[float] = []
    for _ in range(repeats):
        ours.append(timed(lambda: race.ours(values)))
        one = timed(lambda: [race.theirs(column) for column in columns])
        loop.append(one * values.shape[1] / len(columns))
        if race.array is not None:
            array.append(timed(partial(race.array, wide)))
    found = np.stack([column[looped] for column in race.read(result)], axis=1)
    off = np.nanmax(np.abs(found - theirs) / np.maximum(1, np.abs(theirs)))
    beside = f"{np.median(array):.2f} s | {ratio(array, ours)}" if array else "none | "
    return (
        f"| {race.name} | {np.median(ours):.2f} s | {beside} | {np.median(loop):.1f} s | "
        f"{ratio(loop, ours)} | {off:.0e} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=46_080, help="units of the vectorised side")
    parser.add_argument("--loop", type=int, default=300, help="units of the loop; 0: all of them")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--sizes", nargs="+", default=["100x100", "500x500"], help="samples of the two groups"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    threadpool_limits(1)
    versions = ", ".join(
        f"{module.__name__} {module.__version__}" for module in (np, scipy, statsmodels, sklearn)
    )
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}; one thread\n")
    for size in args.sizes:
        n1, n2 = (int(part) for part in size.split("x"))
        rng = np.random.default_rng(args.seed)
        labels = rng.permutation(np.arange(n1 + n2) < n1)
        values = activations(rng, labels, args.units)
        looped = np.unique(np.linspace(0, args.units - 1, args.loop or args.units).astype(int))
        control = rng.standard_normal(n1 + n2)
        covariate = np.round(control + 2 * rng.standard_normal(n1 + n2))
        how = "every unit" if len(looped) == args.units else f"{len(looped)} units, extrapolated"
        print(
            f"{args.units} units, {n1} + {n2} samples, float32; loop over {how}; median of {args.repeats}\n"
        )
        print("| statistic | actmax | library's array call | ratio | library in a loop | ratio | off |")
        print("|---|---|---|---|---|---|---|")
        for race in races(labels, covariate, control):
            print(run(race, values, looped, args.repeats), flush=True)
        alone: dict[str, Callable[[], Any]] = {
            "Cohen's d with its interval": partial(cohens_d, values, labels),
            "permutation null, 200 shuffles": partial(
                max_statistic, values, labels, np.random.default_rng(0), 200
            ),
        }
        for name, work in alone.items():
            print(f"| {name} | {timed(work):.2f} s | none | | none | | |", flush=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(f"\nactivations {values.nbytes / 2**20:.0f} MiB, peak memory of the process {peak:.0f} MiB\n")


if __name__ == "__main__":
    main()
