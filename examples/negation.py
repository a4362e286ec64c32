"""Negation in MLP neurons over all blocks: how many tell it from affirmation, and how well, by depth.

Twice: at the words themselves in running text, and at the last token of 64 matched sentences, where the token
is the same and only the context denies. The original lesson uses GPT-2: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from lesson import BLUE, GREY, ORANGE, axes, lesson

import actmax
from actmax.numbers import percent


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    return compare(run, "mlp.hook_pre", "MLP neurons")


def compare(run: Any, kind: str, what: str) -> dict[str, Any]:
    """Both comparisons for one kind of site."""
    model = run.model()
    step = run.size(1, 5)
    common = {
        "sites": [f"blocks.{k}.{kind}" for k in range(0, model.n_blocks, step)],
        "corpus": run.corpus(model),
        "context": False,
        "permutations": 0,
        "probe": False,
        "heat": 0,
        "seed": run.seed,
    }
    words = actmax.select(
        model,
        "negation",
        "affirmation",
        samples=run.size(300, 60),
        window=run.size(24, 12),
        hold="words",
        **common,
    )
    ends = actmax.select(model, "negation-sentences", "affirmation-sentences", test="paired", **common)
    figure, (left, right) = axes(2)
    for result, colour, label in ((words, BLUE, "at the word"), (ends, ORANGE, "at the end of the sentence")):
        at = [layer.layer for layer in result.layers]
        left.plot(at, [layer.share for layer in result.layers], color=colour, label=label)
        right.plot(at, [layer.accuracy for layer in result.layers], color=colour, label=label)
    left.set_title(f"{what} that are significant", loc="left")
    right.set_title("accuracy of the best, held out", loc="left")
    right.axhline(0.5, color=GREY, linewidth=0.8)
    for axis in (left, right):
        axis.set_xlabel("block")
        axis.legend(frameon=False)
    assert words.held_out is not None
    assert ends.held_out is not None
    assert ends.chance is not None
    top = [max(result.layers, key=lambda layer: layer.share) for result in (words, ends)]
    sharp = [max(result.layers, key=lambda layer: layer.accuracy) for result in (words, ends)]
    return run.finish(
        figure,
        [
            f"At the word, {words.significant / words.n_units:.0%} of {words.n_units:,} {what} differ; most in block {top[0].layer} ({top[0].share:.0%}).",
            f"{words.held_out.concordance:.0%} of those found hold on words of negation that were not used to find them.",
            f"At the end of matched sentences, where the token is the same, {ends.significant / ends.n_units:.1%} differ, most in block {top[1].layer} ({top[1].share:.1%}); with pairs exchanged at random {ends.chance.significant:.1%} do.",
            f"The best neuron of a block is right for up to {percent(sharp[0].accuracy)} of other words (block {sharp[0].layer}), and {percent(sharp[1].accuracy)} of other sentences' ends (block {sharp[1].layer}).",
            "The shares do not compare (64 matched pairs see small differences that all sentences share): the accuracies do.",
        ],
        words=words.significant / words.n_units,
        ends=ends.significant / ends.n_units,
        concordance=words.held_out.concordance,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
