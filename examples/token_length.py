"""Activation by token length, over all blocks: is it the length, or the frequency?

The original lesson correlates token length with GPT-2's activations: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from lesson import BLUE, GREY, ORANGE, axes, lesson

from actmax.inputs.bos import bos_id
from actmax.selectivity.confounds import covariates_of
from actmax.selectivity.extract import extract
from actmax.selectivity.groups import SampleSource
from actmax.selectivity.named import parse_group
from actmax.selectivity.sites import match_sites
from actmax.stats.correlates import correlate
from actmax.stats.multiple import benjamini_hochberg


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    corpus = run.corpus(model)
    source = SampleSource(model.tokenizer, corpus, before=16, most=run.size(600, 120))
    group = parse_group("length:2-12")
    samples = group.samples(source, np.random.default_rng(run.seed)).samples
    sites = match_sites(model, ["blocks.*.hook_resid_post"])
    acts = extract(model, samples, sites, bos=bos_id(model.tokenizer), rng=np.random.default_rng(run.seed))
    kept = np.flatnonzero(~acts.sinks)
    values = acts.values[kept]
    covariates = covariates_of([samples[k] for k in kept], corpus)
    length, frequency = covariates["length"], covariates["frequency"]
    plain, partial = correlate(values, length), correlate(values, length, frequency[:, None])
    both = float(np.corrcoef(length, frequency)[0, 1])

    def by_block(r: np.ndarray) -> np.ndarray:
        return np.sqrt((r.reshape(len(sites), -1) ** 2).mean(axis=1))

    share = [float((benjamini_hochberg(one.p) <= 0.05).mean()) for one in (plain, partial)]
    figure, (left, right) = axes(2)
    left.plot(by_block(plain.r), color=BLUE, label="length")
    left.plot(by_block(partial.r), color=ORANGE, label="length, frequency held constant")
    left.set_title("correlation (root mean square)", loc="left")
    left.set_xlabel("block")
    left.legend(frameon=False)
    best = int(np.nanargmax(np.abs(partial.r)))
    right.plot(length, values[:, best], "o", ms=3, alpha=0.4, color=GREY)
    right.set_title(f"{acts.name(best)}: r {plain.r[best]:.2f}, partial {partial.r[best]:.2f}", loc="left")
    right.set_xlabel("letters")
    return run.finish(
        figure,
        [
            f"{len(kept)} words of one token: length and log frequency correlate with {both:.2f}.",
            f"{share[0]:.0%} of {values.shape[1]:,} dimensions follow length (BH over all), {share[1]:.0%} with frequency held constant.",
            f"The correlation is strongest after block {int(by_block(plain.r).argmax())} ({by_block(plain.r).max():.2f} over its dimensions).",
            f"In the last block it is {by_block(plain.r)[-1]:.2f}, and {by_block(partial.r)[-1]:.2f} with frequency held constant.",
            f"The dimension that follows length most for its own sake is {acts.name(best)} (partial r {partial.r[best]:.2f}).",
        ],
        plain=share[0],
        partial=share[1],
        both=both,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
