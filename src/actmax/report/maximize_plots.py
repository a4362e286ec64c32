"""The figures of a maximisation's page."""

from __future__ import annotations

import math

import numpy as np
from markupsafe import Markup
from torch import Tensor

from actmax.numbers import count, number
from actmax.report import plots
from actmax.report.figure import BLUE, GREEN, MUTED, ORANGE, VERMILION
from actmax.report.page import Plot
from actmax.report.spark import histogram_line
from actmax.results.budget import best_so_far
from actmax.results.maximize import (
    COSINE,
    EMBEDDING_SAMPLE,
    OPTIMUM,
    SITE_AFTER,
    SITE_BEFORE,
    START,
    MaximizeResult,
)
from actmax.results.run import Run


def trajectory(result: MaximizeResult) -> Plot:
    """Activation of the unit and of its neighbours over steps."""
    if not result.is_soft:
        return _over_budget(result)
    best = result.best_run
    lines = [_curve(run, "activation", BLUE, run is best, "unit") for run in result.runs]
    lines += [
        _curve(run, "neighbor_activation", VERMILION, run is best, "neighbours")
        for run in result.runs
        if run.trajectory.neighbor_activation
    ]
    meaning = f"The unit's activation in each of {count(len(result.runs))} restarts; the best is thick. "
    if result.neighbors:
        meaning += (
            f"“Neighbours” is the mean of the {count(len(result.neighbors))} indices beside it: where they "
            "stay flat, the search moved this unit and not the whole site."
        )
    alt = f"Activation over steps: the best restart goes from {number(best.activation_initial)} to "
    alt += f"{number(best.activation_final)}."
    drawing = plots.curves("trajectory", alt, lines, x="step", y="activation")
    return Plot("Activation over steps", drawing, meaning)


def _over_budget(result: MaximizeResult) -> Plot:
    """The best so far over sequences scored, and every restart's own."""
    steps, values = best_so_far(result)
    lines = [
        plots.Curve(run.trajectory.step, run.trajectory.activation, BLUE, stairs=True)
        for run in result.runs
        if len(result.runs) > 1
    ]
    lines.append(plots.Curve(steps, values, BLUE, True, "best so far" if lines else "", stairs=True))
    corpus = result.corpus_maximum
    drawing = plots.curves(
        "trajectory",
        f"Best activation over sequences scored, up to {number(result.best.activation)}.",
        lines,
        x="sequences scored",
        y="activation",
        level=None if corpus is None else (corpus.value, f"real text {number(corpus.value)}"),
    )
    meaning = "The best so far over the budget: every sequence that goes through the model counts. "
    if len(result.runs) > 1:
        of = "positions" if result.positions == "each" else "restarts"
        meaning += f"The faint lines are the {count(len(result.runs))} {of}, one after another. "
    if corpus is not None:
        meaning += f"The dashed line is the best in {count(corpus.n_tokens)} tokens of {corpus.corpus}."
    return Plot("Activation over the budget", drawing, meaning.strip())


def gradient(result: MaximizeResult) -> Plot | None:
    """Gradient norm over steps; None for methods without gradient."""
    if not any(run.trajectory.gradient_norm for run in result.runs):
        return None
    lines = [_curve(run, "gradient_norm", GREEN, run is result.best_run, "") for run in result.runs]
    positive = any(value > 0 for line in lines for value in line.y)
    drawing = plots.curves(
        "gradient",
        "Gradient norm over steps for every restart.",
        lines,
        x="step" if result.is_soft else "sequences scored",
        y="gradient norm" + (" (logarithmic)" if positive else ""),
        log=positive,
    )
    return Plot(
        "Gradient norm",
        drawing,
        "Length (L2) of the gradient of the loss by the input. A norm that is still large at the end means "
        "that the search stopped before it was done; near zero from the start, "
        "that the unit could not be moved.",
    )


def frontier(result: MaximizeResult) -> Plot | None:
    """Activation against likelihood of the texts that none beats in both."""
    if not result.frontier:
        return None
    points = [(item.cross_entropy, item.activation) for item in result.frontier]
    drawing = plots.frontier_curves(
        "frontier",
        f"{count(len(points))} texts: activation against cross-entropy.",
        [plots.Points("", points)],
        x="cross-entropy (nats per token)",
        y="activation",
    )
    return Plot(
        "Active and likely",
        drawing,
        f"A dot a text that was scored; no other is both {'less' if result.minimize else 'more'} active and "
        "more likely (less cross-entropy). The farther left, the more it is like language. "
        "The texts are in a table below.",
    )


def embedding_values(result: MaximizeResult) -> Plot | None:
    """Distribution of the values of embeddings: the model's, the start's, the optimum's."""
    known = (
        ("model's embeddings", EMBEDDING_SAMPLE, ORANGE),
        ("start", START, GREEN),
        ("optimum", OPTIMUM, BLUE),
    )
    samples = [
        (label, _flat(result.tensors[key]), colour) for label, key, colour in known if key in result.tensors
    ]
    if OPTIMUM not in result.tensors:
        return None
    spread = ", ".join(f"{label} {number(_std(values))}" for label, values, _ in samples)
    return Plot(
        "Values of the vectors",
        plots.distributions(
            "values", f"Densities of values; standard deviations: {spread}.", samples, x="value"
        ),
        f"One value per dimension, all restarts. Standard deviations: {spread}. Where the optimum leaves the "
        "range of the model's embeddings, the vectors are unlike any token.",
    )


def heatmap(result: MaximizeResult) -> Plot | None:
    """The best restart's vectors as a matrix."""
    optimum = result.tensors.get(OPTIMUM)
    if optimum is None:
        return None
    place = next(i for i, run in enumerate(result.runs) if run is result.best_run)
    values = _array(optimum[place])
    return Plot(
        "The optimised vectors",
        plots.matrix(
            "heatmap",
            "The optimised vectors, one row a position.",
            values,
            x="dimension of the embedding",
            y="position",
        ),
        "The best restart: one row a position, one column a dimension; blue is above zero, orange below. "
        "Columns that are strong in every row are dimensions that the unit reads wherever they stand.",
        wide=True,
    )


def isolation(result: MaximizeResult) -> Plot | None:
    """The unit among all indices of its site, before and after."""
    known = result.isolation
    if known is None or SITE_BEFORE not in result.tensors or SITE_AFTER not in result.tensors:
        return None
    panels = [
        (f"{when}: rank {count(rank)} of {count(known.width)}, z = {number(z)}", *_z_scores(result, key))
        for when, key, rank, z in (
            ("before", SITE_BEFORE, known.rank_before, known.z_before),
            ("after", SITE_AFTER, known.rank_after, known.z_after),
        )
    ]
    alt = f"Rank {count(known.rank_before)} of {count(known.width)} before, {count(known.rank_after)} after."
    return Plot(
        "Does it stand out?",
        plots.marked_histograms("isolation", alt, panels, x="z-score among the indices of the site"),
        "Every index of the site in the best restart, in standard deviations from their mean (counts are "
        "logarithmic); the orange line is this unit. If others rise as far, "
        "the search excites the whole site.",
    )


def decoding_gap(result: MaximizeResult) -> Plot | None:
    """What vectors, their tokens, the tokens' text and random tokens give, on one axis.

    None for tokens that no random ones were run beside: the budget's curve shows all there is.
    """
    if not result.is_soft and result.random_tokens is None:
        return None
    best, runs = result.best_run, result.runs
    ids = [run.activation_of_ids for run in runs]
    texts = [run.activation_of_text for run in runs]
    label = "nearest tokens" if result.is_soft else "best tokens"
    rows = [
        plots.Row(label, ids, best.activation_of_ids, colour=VERMILION),
        plots.Row("their text, read again", texts, best.activation_of_text, colour=VERMILION),
    ]
    if result.is_soft:
        soft = [run.activation_final for run in runs]
        rows.insert(0, plots.Row("soft vectors", soft, best.activation_final))
    random = result.random_tokens
    if random is not None:
        top = random.best(minimize=result.minimize)
        rows.append(plots.Row("random tokens", random.activations, top, random.mean, MUTED, ticks=True))
    corpus = result.corpus_maximum
    alt = "; ".join(f"{row.label}: {number(row.best)}" for row in rows)
    line = None if corpus is None else (corpus.value, f"in real text {number(corpus.value)}")
    linear = _linear_within(result)
    drawing = plots.gap("gap", alt, rows, linear=linear, x="activation", line=line)
    narrow = plots.gap("gap-narrow", alt, rows, linear=linear, x="activation", line=line, width=plots.HALF)
    meaning = "A dot a restart; the strong dot is the best restart, with its number. "
    if result.is_soft:
        meaning += "“Nearest tokens” is what the model gives on the tokens that the vectors decode to; "
    meaning += "“Their text, read again” is the same tokens written as text and tokenised anew. "
    if random is not None:
        meaning += (
            f"Random tokens are {count(random.n)} sequences of the same length, with their mean and best. "
        )
    if corpus is not None:
        meaning += f"The dashed line is the best in {count(corpus.n_tokens)} tokens of {corpus.corpus}."
    title = "The decoding gap" if result.is_soft else "Against chance"
    return Plot(title, drawing, meaning.strip(), True, narrow)


def cosine_lines(result: MaximizeResult) -> list[Markup]:
    """One small histogram a position: the cosine of its vector to every token; empty where none were kept."""
    tensor = result.tensors.get(COSINE)
    if tensor is None:
        return []
    every = _array(tensor)
    limit = float(np.abs(every[np.isfinite(every)]).max(initial=0.0)) or 1.0
    limit = math.ceil(min(limit, 1.0) * 20) / 20
    lines = []
    for place, nearest in zip(range(len(every)), result.best_run.top_tokens, strict=False):
        alt = f"Cosine of position {place} to every token, from {number(-limit)} to {number(limit)}."
        marks = tuple(near.cosine for near in nearest)
        lines.append(histogram_line(every[place], low=-limit, high=limit, marks=marks, alt=alt))
    return lines


def _linear_within(result: MaximizeResult) -> float:
    """A power of ten near the spread of random tokens (of the decoded ones where none were run)."""
    random = result.random_tokens
    spread = random.std if random else max((abs(run.activation_of_ids) for run in result.runs), default=1.0)
    return 10.0 ** round(math.log10(spread)) if spread > 0 and math.isfinite(spread) else 1.0


def _curve(run: Run, what: str, colour: str, strong: bool, label: str) -> plots.Curve:
    values = getattr(run.trajectory, what)
    return plots.Curve(run.trajectory.step, values, colour, strong, label if strong else "")


def _array(tensor: Tensor) -> plots.Values:
    return np.asarray(tensor.detach().cpu().double().numpy(), dtype=np.float64)


def _flat(tensor: Tensor) -> plots.Values:
    """At most 200,000 of the values, evenly taken."""
    values = _array(tensor).ravel()
    return values[:: max(values.size // 200_000, 1)]


def _std(values: plots.Values) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.std()) if finite.size else math.nan


def _z_scores(result: MaximizeResult, key: str) -> tuple[plots.Values, float | None]:
    values = _array(result.tensors[key])
    finite = values[np.isfinite(values)]
    spread = float(finite.std()) if finite.size else 0.0
    scores = (values - (finite.mean() if finite.size else 0.0)) / (spread or 1.0)
    return scores, None if result.index is None else float(scores[result.index])
