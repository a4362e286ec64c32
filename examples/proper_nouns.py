"""Proper nouns: capitalised words inside sentences, against words in lower case.

The original lesson finds them in a book with GPT-Neo: --model EleutherAI/gpt-neo-125m --corpus BOOK.txt.
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
    model = run.model()
    step = run.size(1, 5)
    result = actmax.select(
        model,
        "proper-nouns",
        "lower-case",
        sites=[f"blocks.{k}.mlp.hook_pre" for k in range(0, model.n_blocks, step)],
        corpus=run.corpus(model),
        samples=run.size(300, 60),
        window=run.size(24, 12),
        hold="words",
        context=False,
        probe=not run.quick,
        permutations=0,
        heat=1,
        seed=run.seed,
    )
    held, best = result.held_out, result.units[0]
    assert held is not None
    figure, (left, right) = axes(2)
    at = [layer.layer for layer in result.layers]
    left.plot(at, [layer.share for layer in result.layers], color=BLUE, label="significant neurons")
    left.plot(
        at,
        [layer.accuracy for layer in result.layers],
        color=ORANGE,
        label="accuracy of the best, other words",
    )
    left.set_xlabel("block")
    left.set_ylim(0, 1)
    left.legend(frameon=False)
    passage = result.passages[0]
    values = passage.units[0].values
    right.bar(range(len(values)), values, color=BLUE)
    right.set_xticks(range(len(values)), [token.strip() for token in passage.tokens], rotation=90, fontsize=6)
    right.axhline((best.mean_a + best.mean_b) / 2, color=GREY, linewidth=0.8)
    right.set_title(f"{best.unit} over fresh text", loc="left")
    names = ", ".join(quote.text for quote in result.a.quotes[:3])
    return run.finish(
        figure,
        [
            f"{result.a.total:,} proper nouns were found by their capital inside a sentence (such as {names}).",
            f"{result.significant / result.n_units:.0%} of {result.n_units:,} neurons tell {result.a.samples} of them from words in lower case (BH).",
            f"{held.concordance:.0%} of the neurons found hold on words that were not used to find them.",
            f"The strongest is {best.unit}: right for {percent(best.accuracy_held)} of the words held out.",
            f"Its correlation with the group is {best.r:.2f}, and {best.r_partial:.2f} with length, frequency and position held constant.",
        ],
        share=result.significant / result.n_units,
        concordance=held.concordance,
        accuracy=best.accuracy_held,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
