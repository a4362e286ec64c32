"""Negation in queries, keys and values: the same comparison in attention.

The original lesson uses GPT-2, whose q, k and v come from one matrix: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from lesson import BLUE, GREEN, GREY, ORANGE, axes, lesson

import actmax
from actmax.numbers import percent

COLOURS = {"q": BLUE, "k": ORANGE, "v": GREEN}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    step = run.size(1, 5)
    result = actmax.select(
        model,
        "negation",
        "affirmation",
        sites=[f"blocks.{k}.attn.hook_{name}" for k in range(0, model.n_blocks, step) for name in "qkv"],
        corpus=run.corpus(model),
        samples=run.size(300, 60),
        window=run.size(24, 12),
        hold="words",
        context=False,
        permutations=0,
        probe=False,
        heat=0,
        seed=run.seed,
    )
    figure, (left, right) = axes(2)
    share, accuracy, width = {}, {}, {}
    for name, colour in COLOURS.items():
        layers = [layer for layer in result.layers if layer.site.endswith(f"hook_{name}")]
        at = [layer.layer for layer in layers]
        left.plot(at, [layer.share for layer in layers], color=colour, label=name)
        right.plot(at, [layer.accuracy for layer in layers], color=colour, label=name)
        share[name] = sum(layer.significant for layer in layers) / sum(layer.units for layer in layers)
        accuracy[name] = max(layer.accuracy for layer in layers)
        width[name] = layers[0].units
    left.set_title("dimensions that are significant", loc="left")
    right.set_title("accuracy of the best, other words", loc="left")
    right.axhline(0.5, color=GREY, linewidth=0.8)
    for axis in (left, right):
        axis.set_xlabel("block")
        axis.legend(frameon=False)
    assert result.held_out is not None
    most = max(share, key=lambda name: share[name])
    best = result.units[0]
    return run.finish(
        figure,
        [
            f"A block has {width['q']} query, {width['k']} key and {width['v']} value dimensions: keys and values may have fewer heads.",
            f"Of these {share['q']:.0%} (q), {share['k']:.0%} (k) and {share['v']:.0%} (v) tell negation from affirmation (BH); most in {most}.",
            f"{result.held_out.concordance:.0%} of the dimensions found hold on words that were not used to find them.",
            f"The best dimension of a block is right for up to {percent(accuracy['q'])} (q), {percent(accuracy['k'])} (k), {percent(accuracy['v'])} (v) of other words.",
            f"The strongest of all is {best.unit} (d {best.d:.1f}).",
        ],
        share=share,
        concordance=result.held_out.concordance,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
