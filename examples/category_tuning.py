"""Category tuning of MLP outputs: animals against vehicles, and a second data set that must agree.

20 sentences of each; then 20 sentences that hold both, so that the sentence cannot give the category away. The
original lesson uses GPT-2: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from lesson import BLUE, GREY, ORANGE, axes, lesson

import actmax


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    step = run.size(1, 3)
    result = actmax.select(
        model,
        "animals",
        "vehicles",
        second=("animals-second", "vehicles-second"),
        sites=[f"blocks.{k}.hook_mlp_out" for k in range(0, model.n_blocks, step)],
        corpus=run.corpus(model),
        context=False,
        heat=0,
        permutations=run.size(1000, 100),
        seed=run.seed,
    )
    held, best = result.held_out, result.units[0]
    assert held is not None
    assert result.chance is not None
    figure, (left, right) = axes(2)
    at = [layer.layer for layer in result.layers]
    left.plot(at, [layer.share for layer in result.layers], color=BLUE, label="significant")
    left.plot(at, [layer.held / layer.units for layer in result.layers], color=ORANGE, label="and hold")
    left.set_title("share of MLP output dimensions", loc="left")
    left.set_xlabel("block")
    left.legend(frameon=False)
    for holds, colour in ((None, GREY), (False, ORANGE), (True, BLUE)):
        points = [p for p in held.points if p.holds is holds]
        right.plot([p.found for p in points], [p.held for p in points], "o", ms=3, color=colour, alpha=0.6)
    right.set_title("t on the first and the second set", loc="left")
    peak = max(result.layers, key=lambda layer: layer.share)
    return run.finish(
        figure,
        [
            f"{result.significant} of {result.n_units:,} MLP output dimensions differ between 20 animals and 20 vehicles (BH).",
            f"Most are in block {peak.layer} ({peak.share:.0%}); the strongest is {best.unit} (d {best.d:.1f}).",
            f"In sentences that hold both, {held.concordance:.0%} of those found are significant with the same sign.",
            f"{held.same_sign:.0%} keep their sign, where chance would be 50%.",
            f"Shuffled labels give {result.chance.significant:.2%} significant dimensions: the difference is no accident of many tests.",
        ],
        significant=result.significant,
        concordance=held.concordance,
        same_sign=held.same_sign,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
