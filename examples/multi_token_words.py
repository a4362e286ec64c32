"""Multi-token words: which token of a word knows what the word is?

Nouns against verbs of several tokens, read at the first token, the last, and as a mean. The original lesson
uses GPT-2: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from lesson import BLUE, GREEN, GREY, ORANGE, axes, lesson

import actmax
from actmax.selectivity.groups import word_group
from actmax.selectivity.wordlists import words

COLOURS = {"first": ORANGE, "last": BLUE, "mean": GREEN}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    corpus = run.corpus(model)

    def several(name: str) -> tuple[str, ...]:
        encode = model.tokenizer.encode
        # Without their space and with a capital more words are in pieces.
        return tuple(
            w.capitalize() for w in words(name) if len(encode(w.capitalize(), add_special_tokens=False)) > 1
        )

    groups = [word_group(name, f"{name} in pieces", several(name), "alone") for name in ("nouns", "verbs")]
    step = run.size(1, 4)
    sites = [f"blocks.{k}.hook_resid_post" for k in range(0, model.n_blocks, step)]
    results = {
        take: actmax.select(
            model,
            *groups,
            sites=sites,
            corpus=corpus,
            space="without",
            token=take,
            context=False,
            heat=0,
            permutations=0,
            seed=run.seed,
        )
        for take in COLOURS
    }
    figure, (left, right) = axes(2)
    for take, result in results.items():
        at = [layer.layer for layer in result.layers]
        left.plot(at, [layer.share for layer in result.layers], color=COLOURS[take], label=f"{take} token")
        right.plot(
            at, [layer.accuracy for layer in result.layers], color=COLOURS[take], label=f"{take} token"
        )
    left.set_title("dimensions that differ", loc="left")
    right.set_title("best dimension on held-out words", loc="left")
    for axis in (left, right):
        axis.set_xlabel("block")
        axis.legend(frameon=False, labelcolor=GREY)
    share = {take: result.significant / result.n_units for take, result in results.items()}
    probes = {take: result.probe.accuracy for take, result in results.items() if result.probe is not None}
    best = max(share, key=lambda take: share[take])
    return run.finish(
        figure,
        [
            f"{results['last'].a.samples} nouns and {results['last'].b.samples} verbs are split into several tokens (no space, capital).",
            f"Read at the last token {share['last']:.0%} of the dimensions differ, at the first {share['first']:.0%}, as a mean {share['mean']:.0%}.",
            "A causal model's first token has not seen the rest of the word: what differs there is the piece itself.",
            f"A sparse probe is right for {probes.get('last', float('nan')):.0%} (last), {probes.get('first', float('nan')):.0%} (first) and {probes.get('mean', float('nan')):.0%} (mean) of unseen words.",
            f"Most dimensions differ with '{best}'; actmax reads the last token unless told otherwise.",
        ],
        share=share,
        probes=probes,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
