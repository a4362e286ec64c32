"""Figures from numbers that searches really give: none at all, one, all equal, not finite, enormous."""

from __future__ import annotations

import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from tests.results.example import soft_result

from actmax.report import plots
from actmax.report.figure import BLUE, axes, figure, svg
from actmax.report.maximize import page, summary
from actmax.report.spark import HEIGHT, WIDTH, histogram_line
from actmax.results.run import RandomTokens, Trajectory

NAN, INF = float("nan"), float("inf")
ODD = (NAN, INF, -INF, 0.0, -0.0, 1e-30, -1e30, 1e30, 1e300, 3.5, -2.0)


@pytest.mark.parametrize("seed", range(12))
def test_any_numbers_make_a_page(seed: int) -> None:
    """A report must not be what fails after a long search."""
    rng = np.random.default_rng(seed)
    result = soft_result(restarts=2, length=2, steps=4, d_model=100, vocab=20)
    steps, minimize = seed % 4, seed % 2 == 1

    def some(n: int) -> tuple[float, ...]:
        return tuple(float(ODD[i]) for i in rng.integers(0, len(ODD) if seed else 1, n))

    runs = tuple(
        replace(
            run,
            trajectory=Trajectory(tuple(range(steps)), some(steps), some(steps), some(steps)),
            activation_initial=some(1)[0],
            activation_final=some(1)[0],
            activation_of_ids=some(1)[0],
            activation_of_text=some(1)[0],
            cross_entropy=some(1)[0],
            cosine=some(2),
        )
        for run in result.runs
    )
    chance = some(3)
    odd = replace(
        result,
        runs=runs,
        minimize=minimize,
        best=replace(result.best, activation=some(1)[0]),
        random_tokens=RandomTokens(3, some(1)[0], some(1)[0], some(1)[0], chance),
        tensors={
            name: tensor * float(rng.choice([1.0, 0.0, NAN, INF])) for name, tensor in result.tensors.items()
        },
    )
    html = page(odd) + summary(odd)
    assert not re.search(r"\b(nan|inf)\b", re.sub(r'href="data:[^"]*"', "", html), re.IGNORECASE)


def test_bins_keep_the_largest_magnitude() -> None:
    values = np.zeros((2, 5000))
    values[0, 1234], values[0, 1235], values[1, 4999] = -7.0, 3.0, 2.0
    small = plots._binned(values, 1000, 1)
    assert small.shape == (2, 1000)
    assert small.min() == -7.0
    assert small[0, 1234 // 5] == -7.0
    assert small[1, 999] == 2.0
    assert plots._binned(values, 5000, 1) is values


def test_colours_have_the_sign_and_the_strength() -> None:
    colours = plots._signed_colours(np.array([[1.0, -1.0, 0.0, 0.5]]))
    assert list(colours[0, :, 3]) == [1.0, 1.0, 0.0, 0.5]
    blue, orange = colours[0, 0, :3], colours[0, 1, :3]
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]


def test_a_figure_is_clean_svg_and_changes_nothing_global() -> None:
    before = dict(mpl.rcParams)
    drawing = figure(300, 200)
    (axis,) = axes(drawing)
    axis.plot([0, 1], [0, 1], color=BLUE)
    axis.set_title("<b> & $x_1$")
    html = svg(drawing, "name", 'alt "quoted" <b>')
    assert dict(mpl.rcParams) == before
    assert html.startswith(
        '<svg viewBox="0 0 300 200" role="img" aria-label="alt &#34;quoted&#34; &lt;b&gt;"'
    )
    assert "stroke: var(--blue)" in html
    for absent in ("<style", "<metadata", "<!--", "<b>", "<?xml", "http://", BLUE):
        assert absent not in html


def test_thinning_keeps_both_ends() -> None:
    at, values = plots._thinned(range(10_001), [float(x) for x in range(10_001)])
    assert len(at) == 200
    assert (at[0], at[-1]) == (0, 10_000)
    assert np.array_equal(at, values)


def test_a_line_histogram_counts_and_marks() -> None:
    values = np.array([-0.5, 0.5, 0.5, 0.5, NAN, 9.0])
    html = histogram_line(values, low=-1.0, high=1.0, marks=(0.5, 7.0), alt="<alt>")
    assert 'aria-label="&lt;alt&gt;"' in html
    paths = re.findall(r'<path d="([^"]*)"', html)
    heights = {float(y) for _, y in re.findall(r"L([\d.]+) ([\d.]+)", paths[0])}
    top, base = (HEIGHT - 8) - (HEIGHT - 10), HEIGHT - 8
    assert sorted(heights) == pytest.approx([top, base - (HEIGHT - 10) / 2, base])
    assert paths[2] == f"M{0.75 * WIDTH:.1f} {base + 1}v7"
