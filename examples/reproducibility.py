"""Reproducibility of activation maximisation: the value returns, the input does not.

The original lesson repeats the search in GPT-2: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lesson import BLUE, axes, lesson

import actmax

UNIT = "hidden_states.4:90"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    settings = {"restarts": run.size(10, 4), "steps": run.size(300, 25), "lr": 0.01, "seed": run.seed}
    result = actmax.maximize(model, UNIT, **settings)
    again = actmax.maximize(model, UNIT, **settings)
    final = np.array([one.activation_final for one in result.runs])
    same = [one.activation_final for one in again.runs] == final.tolist()
    optimum = torch.nn.functional.normalize(result.tensors["optimum"].flatten(1), dim=1)
    start = torch.nn.functional.normalize(result.tensors["start"].flatten(1), dim=1)
    off = ~torch.eye(len(final), dtype=torch.bool)
    alike, before = float((optimum @ optimum.T)[off].mean()), float((start @ start.T)[off].mean())
    texts = [set(one.ids) for one in result.runs]
    shared = [len(a & b) / len(a | b) for k, a in enumerate(texts) for b in texts[:k]]

    figure, (left, right) = axes(2)
    for one in result.runs:
        left.plot(one.trajectory.step, one.trajectory.activation, color=BLUE, alpha=0.5)
    left.set_title(f"{UNIT}: every restart", loc="left")
    left.set_xlabel("step")
    right.imshow((optimum @ optimum.T).numpy(), vmin=-1, vmax=1, cmap="PuOr")
    right.set_title("cosine between the optima", loc="left")
    return run.finish(
        figure,
        [
            f"{len(final)} starts reach {final.mean():.3g} on average, with a spread of {final.std() / abs(final.mean()):.1%}.",
            f"The vectors that do so have a mean cosine of {alike:.2f} ({before:.2f} at the start).",
            f"Their nearest tokens share {np.mean(shared):.0%} of all tokens between two runs.",
            f"The same seed again gives {'the same numbers to the last bit' if same else 'OTHER numbers'}.",
            "The value of the optimum can be reported from one run; what the unit 'wants' cannot.",
        ],
        same=same,
        alike=alike,
        spread=float(final.std() / abs(final.mean())),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
