"""Summaries against brute force, and under any split and order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.observation.examples import NEVER
from actmax.observation.histogram import BINS, Histogram, bins_of, edges
from actmax.observation.kept import Kept
from actmax.observation.moments import Exact
from actmax.observation.summary import PIECE, SiteSummary

LENGTH, UNITS, TOP = 2 * PIECE + 5, 5, 3


class Corpus:
    """Random windows of a few documents; coarse values, so that ties abound."""

    def __init__(self, seed: int, windows: int, *, holes: bool, coarse: bool) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.acts = torch.randn(windows, LENGTH, UNITS, generator=draw) * 3
        if coarse:
            self.acts = (self.acts * 2).round() / 2
        self.acts[:, :, 0] = 0.0  # a dead unit: nothing but ties
        self.keep = torch.ones(windows, LENGTH, dtype=torch.bool)
        self.keep[:, 0] = False
        if holes:
            self.keep &= torch.rand(windows, LENGTH, generator=draw) > 0.3
            self.keep[0] = False
        self.where = torch.arange(windows * LENGTH).view(windows, LENGTH)
        self.document = torch.randint(0, 3, (windows,), generator=draw).cumsum(0)

    def summary(self, rows: list[int], every: int = 1) -> SiteSummary:
        pick = torch.tensor(rows, dtype=torch.int64)
        kept = Kept(self.keep[pick], self.where[pick], self.document[pick])
        return SiteSummary.empty(UNITS, TOP, every=every).update(self.acts[pick], kept)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(one[name].numpy().tobytes() == other[name].numpy().tobytes() for name in one)


@pytest.mark.parametrize("coarse", [True, False])
@pytest.mark.parametrize("holes", [True, False])
def test_equals_brute_force(holes: bool, coarse: bool) -> None:
    corpus = Corpus(1, 40, holes=holes, coarse=coarse)
    summary = SiteSummary.empty(UNITS, TOP, every=1)
    for start in range(0, 40, 8):
        part = slice(start, start + 8)
        summary.update(corpus.acts[part], Kept(corpus.keep[part], corpus.where[part], corpus.document[part]))
    summary.top.settle()
    summary.bottom.settle()
    values = corpus.acts[corpus.keep].double().numpy()
    where = corpus.where[corpus.keep].numpy()
    document = corpus.document[:, None].expand(-1, LENGTH)[corpus.keep].numpy()
    moments = summary.moments
    assert moments.count == len(values)
    np.testing.assert_allclose(moments.mean(), values.mean(0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moments.std(), values.std(0), rtol=1e-6)
    np.testing.assert_array_equal(moments.min, values.min(0))
    np.testing.assert_array_equal(moments.max, values.max(0))
    np.testing.assert_array_equal(moments.density(), (values > 0).mean(0))
    for unit in range(UNITS):
        counted, _ = np.histogram(np.abs(values[:, unit]), bins=[0, *edges()[BINS // 2 + 1 :]])
        counts = summary.histogram.counts[unit].numpy()
        folded = counts[BINS // 2 :].copy()
        folded[1:] += counts[: BINS // 2][::-1]
        np.testing.assert_array_equal(folded, counted)
        for sign, examples in ((1, summary.top), (-1, summary.bottom)):
            ranked = sorted(zip(-sign * values[:, unit], where, document, strict=True))
            expected: list[tuple[float, int, int]] = []
            for value, place, number in ranked:
                if number not in [seen for _, _, seen in expected]:
                    expected.append((-value, int(place), int(number)))
            found = list(
                zip(
                    examples.value[unit].tolist(),
                    examples.where[unit].tolist(),
                    examples.document[unit].tolist(),
                    strict=True,
                )
            )
            assert found == expected[: len(found)]


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.booleans(), st.booleans(), st.data())
def test_any_split_and_any_order_give_the_same_bytes(
    seed: int, holes: bool, coarse: bool, data: st.DataObject
) -> None:
    n = 12
    corpus = Corpus(seed, n, holes=holes, coarse=coarse)
    whole = corpus.summary(list(range(n)), every=3).state()
    order = data.draw(st.permutations(range(n)))
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1))))
    shards = [order[a:b] for a, b in zip([0, *cuts], [*cuts, n], strict=True)]
    parts = [corpus.summary(shard, every=3) for shard in shards]
    while len(parts) > 1:
        at = data.draw(st.integers(0, len(parts) - 2))
        one, other = parts.pop(at), parts.pop(at)
        parts.insert(at, one.merge(other) if data.draw(st.booleans()) else other.merge(one))
    assert same(parts[0].state(), whole)


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_a_summary_goes_on_from_its_state(seed: int) -> None:
    corpus = Corpus(seed, 9, holes=False, coarse=True)
    half = corpus.summary(list(range(4)))
    again = SiteSummary.of_state({k: v.clone() for k, v in half.state().items()}, every=1)
    rest = slice(4, 9)
    kept = Kept(corpus.keep[rest], corpus.where[rest], corpus.document[rest])
    assert same(again.update(corpus.acts[rest], kept).state(), corpus.summary(list(range(9))).state())


@pytest.mark.parametrize("width", [1, 31, 64, 200, 576])
def test_windows_sum_alike_alone_and_together(width: int) -> None:
    """Vectorised sums take other paths for other widths; none may see how many windows there are."""
    draw = torch.Generator().manual_seed(width)
    acts = torch.randn(8, 128, width, generator=draw)
    keep = torch.ones(8, 128, dtype=torch.bool)
    keep[:, 0] = False
    where, document = torch.arange(8 * 128).view(8, 128), torch.arange(8) // 3
    whole = SiteSummary.empty(width, TOP).update(acts, Kept(keep, where, document))
    parts = SiteSummary.empty(width, TOP)
    for row in torch.randperm(8, generator=draw).tolist():
        one = slice(row, row + 1)
        parts.merge(
            SiteSummary.empty(width, TOP).update(acts[one], Kept(keep[one], where[one], document[one]))
        )
    assert same(parts.state(), whole.state())


def test_nothing_kept_changes_nothing() -> None:
    summary = SiteSummary.empty(UNITS, TOP)
    corpus = Corpus(0, 4, holes=False, coarse=False)
    kept = Kept(torch.zeros_like(corpus.keep), corpus.where, corpus.document)
    assert same(summary.update(corpus.acts, kept).state(), SiteSummary.empty(UNITS, TOP).state())
    assert bool((summary.top.where == NEVER).all())
    assert bool(summary.moments.mean().isnan().all())


@pytest.mark.parametrize("bad", [float("inf"), float("nan"), 1e30])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    corpus = Corpus(0, 4, holes=False, coarse=False)
    corpus.acts[2, 5, 1] = bad
    with pytest.raises(ActmaxError, match="not finite"):
        corpus.summary([0, 1, 2, 3])


@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=50))
def test_exact_sums(values: list[float]) -> None:
    import math

    forward, backward = Exact.zero(1), Exact.zero(1)
    for value in values:
        forward.add(torch.tensor([[value]]))
    backward.add(torch.tensor(values[::-1])[:, None])
    assert torch.equal(forward.whole, backward.whole)
    assert torch.equal(forward.part, backward.part)
    assert float(forward.value()) == pytest.approx(math.fsum(values), rel=1e-15, abs=len(values) * 2.0**-48)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_value_lies_between_the_edges_of_its_bin(value: float) -> None:
    at = int(bins_of(torch.tensor([value]))[0])
    low, high = edges()[at], edges()[at + 1]
    inside = (
        abs(value) <= high if at == BINS // 2 else (low <= value < high if value > 0 else low < value <= high)
    )
    assert inside or at in (0, BINS - 1)


def test_quantiles_are_within_a_bin() -> None:
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(20_000, 3, generator=draw) * torch.tensor([0.1, 1.0, 50.0])
    histogram = Histogram.empty(3).update(values[:7000]).merge(Histogram.empty(3).update(values[7000:]))
    wanted = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0)
    found = histogram.quantiles(wanted, values.amin(0).double(), values.amax(0).double())
    true = np.quantile(values.numpy(), wanted, axis=0).T
    assert (np.abs(found - true) <= 0.25 * np.abs(true) + 0.005 * values.std(0).numpy()[:, None]).all()
