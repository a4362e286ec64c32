"""Context modulation: how much of a word's vector is what stands before it, block by block.

The original lesson follows words through GPT-2: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from lesson import BLUE, GREY, ORANGE, axes, lesson

from actmax.inputs.bos import bos_id
from actmax.selectivity.context import context_effect
from actmax.selectivity.groups import SampleSource, word_group
from actmax.selectivity.wordlists import words


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    bos = bos_id(model.tokenizer)
    group = word_group("nouns", "nouns", words("nouns"), "corpus")
    distances = {}
    effect = None
    for window in (4, 32):
        source = SampleSource(model.tokenizer, run.corpus(model), before=window, most=run.size(200, 30))
        samples = group.samples(source, np.random.default_rng(run.seed)).samples
        effect = context_effect(model, samples, bos=bos)
        distances[window] = np.nanmedian(effect.context_distance, axis=1)
    assert effect is not None
    space = np.nanmedian(effect.space_distance, axis=1)
    longer = np.nanmedian(effect.alone_over_context, axis=1)
    path, straight = np.nanmedian(effect.path, axis=1), np.nanmedian(effect.straight, axis=1)

    figure, (left, right) = axes(2)
    for window, colour in ((4, ORANGE), (32, BLUE)):
        left.plot(distances[window], color=colour, label=f"{window} tokens of context")
    left.plot(space, "--", color=GREY, label="without its leading space")
    left.set_title("distance from the word alone, over its norm", loc="left")
    right.plot(path, color=BLUE, label="path")
    right.plot(straight, "--", color=GREY, label="straight")
    right.set_title("way of the vector through the blocks", loc="left")
    for axis in (left, right):
        axis.set_xlabel("blocks passed")
        axis.legend(frameon=False)
    half = int(np.argmax(distances[32] > 0.5))
    return run.finish(
        figure,
        [
            f"{len(samples)} occurrences of nouns (medians): at the embedding context changes nothing ({distances[32][0]:.2f}), a missing leading space much ({space[0]:.2f}).",
            f"After {half} block{'s' * (half > 1)} more than half of the norm has changed; it is largest at depth {int(distances[32].argmax())} ({distances[32].max():.2f}).",
            f"Four tokens of context already do {distances[4][1:].mean() / distances[32][1:].mean():.0%} of what 32 do.",
            f"Alone after BOS a noun is half a sink, up to {longer.max():.1f} times as long as in context (after {int(longer.argmax())} blocks): there its distance says little of context.",
            f"The way through the blocks is {path[-1] / straight[-1]:.1f} times as long as it is far: the blocks undo each other's steps.",
        ],
        at_embedding=float(distances[32][0]),
        largest=float(distances[32].max()),
        ratio=float(path[-1] / straight[-1]),
        longer=float(longer.max()),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
