"""Grammar tuning: neurons of block 8, before their non-linearity, that tell nouns from verbs.

100 nouns and 100 verbs alone, a difference score for every neuron, Bonferroni over all of them, then the best
neuron over prose that it has never seen. The original lesson uses GPT-2: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from lesson import BLUE, GREY, axes, lesson

import actmax
from actmax.selectivity.groups import word_group
from actmax.selectivity.wordlists import words


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    n = run.size(100, 60)
    layer = min(8, model.n_blocks - 1)
    groups = [word_group(name, f"{n} {name}", words(name)[:n], "alone") for name in ("nouns", "verbs")]
    result = actmax.select(
        model,
        *groups,
        sites=f"blocks.{layer}.mlp.hook_pre",
        corpus=run.corpus(model),
        correction="bonferroni",
        context=False,
        permutations=run.size(1000, 100),
        heat=1,
        seed=run.seed,
    )
    best, held = result.units[0], result.held_out
    assert held is not None
    assert result.chance is not None
    d = np.sort(result.tensors["d"].numpy())

    figure, (left, right) = axes(2, 4.0)
    left.plot(d, color=BLUE)
    left.axhline(0, color=GREY, linewidth=0.8)
    left.set_title(f"nouns − verbs (d) of {len(d)} neurons, sorted", loc="left")
    passage = result.passages[0]
    values = np.array(passage.units[0].values) - (best.mean_a + best.mean_b) / 2
    full = float(np.abs(values).max())
    right.imshow(_grid(values), cmap="PuOr_r", aspect="auto", vmin=-full, vmax=full)
    for k, token in enumerate(passage.tokens):
        ink = "white" if abs(values[k]) > 0.6 * full else "black"
        right.text(k % 6, k // 6, token.strip() or "·", ha="center", va="center", fontsize=7, color=ink)
    right.set_axis_off()
    right.set_title(f"{best.unit} over fresh prose, from halfway", loc="left")
    higher = "nouns" if best.d > 0 else "verbs"
    return run.finish(
        figure,
        [
            f"{result.significant} of {result.n_units} neurons of block {layer} differ between {n} nouns and {n} verbs (Bonferroni).",
            f"The best is {best.unit}: {abs(best.d):.1f} standard deviations higher for {higher}, AUC {best.auc:.2f}.",
            f"{held.concordance:.0%} of the neurons found on one half of the words hold on the other half.",
            f"With word length and frequency held constant its correlation with the group is {best.r_partial:.2f} (was {best.r:.2f}).",
            f"Shuffled labels make {result.chance.uncorrected:.1%} of the neurons significant before correction, {result.chance.significant:.1%} after.",
        ],
        significant=result.significant,
        concordance=held.concordance,
        d=best.d,
    )


def _grid(values: np.ndarray, columns: int = 6) -> np.ndarray:
    """The values in rows of words, the last one filled with nothing."""
    rows = -(-len(values) // columns)
    filled = np.full(rows * columns, np.nan)
    filled[: len(values)] = values
    return filled.reshape(rows, columns)


if __name__ == "__main__":
    main(sys.argv[1:])
