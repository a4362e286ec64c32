"""Logistic regression against the t-test, on simulated neurons whose truth is known.

No model is needed: the lesson is about the statistics. The original simulates too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from lesson import BLUE, GREY, ORANGE, axes, lesson

from actmax.stats.logistic import Status, logistic
from actmax.stats.ttest import welch


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    rng = np.random.default_rng(run.seed)
    units, n = run.size(20_000, 3_000), 60
    labels = np.arange(n) < n // 2
    effects = rng.choice([0.0, 0.5, 1.0, 3.0], units)
    values = rng.standard_normal((n, units)) + effects * labels[:, None]
    t, fit = welch(values, labels), logistic(values, labels)
    separable = fit.status == Status.SEPARABLE
    null = effects == 0
    level = {"t": float((t.p[null] < 0.05).mean()), "ratio": float((fit.p_ratio[null] < 0.05).mean())}
    wald = np.nan_to_num(fit.p, nan=1.0)
    level["Wald"] = float((wald[null] < 0.05).mean())
    agree = float(np.corrcoef(np.log(t.p), np.log(np.maximum(fit.p_ratio, 1e-300)))[0, 1])
    strong = effects == 3.0

    figure, (left, right) = axes(2)
    left.plot(
        -np.log10(t.p), -np.log10(fit.p_ratio), "o", ms=2, alpha=0.3, color=BLUE, label="likelihood ratio"
    )
    left.plot(-np.log10(t.p), -np.log10(wald), "o", ms=2, alpha=0.3, color=ORANGE, label="Wald")
    left.set_xlabel("t-test: −log10 p")
    left.set_title("logistic: −log10 p", loc="left")
    left.legend(frameon=False)
    levels = [0.0, 0.5, 1.0, 3.0]
    right.plot(levels, [fit.accuracy[effects == e].mean() for e in levels], "o-", color=BLUE)
    right.axhline(0.5, color=GREY, linewidth=0.8)
    right.set_xlabel("planted difference (standard deviations)")
    right.set_title("accuracy on the same samples", loc="left")
    return run.finish(
        figure,
        [
            f"{units:,} neurons, {n} samples: log p of t-test and likelihood ratio correlate with {agree:.3f}.",
            f"Where nothing was planted, {level['t']:.1%} (t), {level['ratio']:.1%} (ratio) and {level['Wald']:.1%} (Wald) have p < 0.05.",
            f"At 3 standard deviations {separable[strong].mean():.0%} of the neurons separate the groups: their slope is infinite.",
            f"The Wald test misses {(wald[strong] > 0.05).mean():.0%} of these strong neurons, the t-test {(t.p[strong] > 0.05).mean():.0%}.",
            f"Fitted accuracy is {fit.accuracy[null].mean():.0%} where nothing is there: only held-out accuracy is a finding.",
        ],
        level=level,
        agree=agree,
        separable=float(separable[strong].mean()),
        missed=float((wald[strong] > 0.05).mean()),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
