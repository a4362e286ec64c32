"""Which token maximises a dimension over a book: the answer depends on what is left out.

The original lesson reads a novel with GPT-2: --model gpt2 --corpus BOOK.txt.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lesson import BLUE, GREY, ORANGE, axes, lesson

import actmax
from actmax.corpus.sinks import calibrate
from actmax.corpus.windows import windows_of
from actmax.inputs.bos import bos_id
from actmax.models.sinks import residual_at

UNIT = "hidden_states.4:90"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    unit = actmax.resolve(model, UNIT)
    windows = windows_of(
        run.corpus(model), length=64, bos=bos_id(model.tokenizer), max_tokens=run.size(40_000, 4_000)
    )
    depth = residual_at(model, unit.site)
    assert depth is not None
    rule = calibrate(model, windows, [depth])[depth]
    best: dict[int, float] = {}
    all_values, sink_values = [], []
    for start in range(0, windows.n_windows, 16):
        batch = windows.batch(start, start + 16)
        with torch.inference_mode():
            acts = actmax.read(model, {unit.site, depth}, ids=batch.ids)
        value, sink = acts[unit.site][..., unit.index], rule.mask(acts[depth])
        kept = batch.valid & ~sink
        all_values.append(value[kept].numpy())
        sink_values.append(value[(batch.where >= 0) & ~kept].numpy())
        for token, number in zip(batch.ids[kept].tolist(), value[kept].tolist(), strict=True):
            best[token] = max(number, best.get(token, -np.inf))
    values, sinks = np.concatenate(all_values), np.concatenate(sink_values)
    top = Counter(best).most_common(15)
    names = [repr(str(model.tokenizer.decode([token]))) for token, _ in top]

    figure, (left, right) = axes(2, 4.2)
    left.barh(range(len(top)), [value for _, value in top], color=BLUE)
    left.set_yticks(range(len(top)), names)
    left.invert_yaxis()
    left.set_title(f"largest {UNIT} of each token", loc="left")
    right.hist(values, 80, color=BLUE, log=True, label="kept")
    if len(sinks):
        right.hist(sinks, 80, color=ORANGE, log=True, label="left out")
    right.legend(frameon=False, labelcolor=GREY)
    right.set_title("positions", loc="left")
    token, value = top[0]
    z = (value - values.mean()) / values.std()
    return run.finish(
        figure,
        [
            f"Over {len(values):,} tokens of {windows.tokens.name}, {UNIT} is largest at {names[0]}: {value:.3g}.",
            f"That is {z:.1f} standard deviations above its mean of {values.mean():.3g}.",
            f"The next tokens are {', '.join(names[1:4])}.",
            f"{len(sinks):,} positions (attention sinks, position 0) were left out; they reach {np.abs(sinks).max(initial=0):.3g}.",
            "A maximum over a text is a statement about that text: other books give other tokens.",
        ],
        best=value,
        z=float(z),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
