"""Hooks against hidden states: they agree at every depth but the last, which is after the final norm.

The original lesson compares them in GPT-2: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from lesson import BLUE, GREY, ORANGE, axes, lesson

import actmax
from actmax.models.sites import resolve_site

TEXT = "A clear sky in April is no promise of a dry evening"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    n = model.n_blocks
    ids = torch.tensor([model.tokenizer.encode(TEXT, add_special_tokens=False)])
    hooks = [resolve_site(model, f"blocks.{k}.hook_resid_post") for k in range(n)]
    alias = resolve_site(model, f"hidden_states.{n}")
    with torch.no_grad():
        states = model.net(ids, output_hidden_states=True).hidden_states
        acts = actmax.read(model, [*hooks, alias], ids=ids)
    apart = [float((states[k + 1] - acts[hook]).abs().max()) for k, hook in enumerate(hooks)]
    named = float((states[n] - acts[alias]).abs().max())
    norms = [float(acts[hook][0, 1:].norm(dim=-1).median()) for hook in hooks]
    after = float(states[n][0, 1:].norm(dim=-1).median())

    figure, (left, right) = axes(2)
    left.semilogy(range(1, n + 1), [max(value, 1e-8) for value in apart], "o", color=BLUE)
    left.set_title("largest |hidden state − hook|", loc="left")
    right.plot(range(1, n + 1), norms, color=BLUE, label="hook on the block")
    right.plot([n], [after], "o", color=ORANGE, label="last hidden state")
    right.set_title("median norm over positions", loc="left")
    right.legend(frameon=False, labelcolor=GREY)
    for axis in (left, right):
        axis.set_xlabel("hidden state")
    return run.finish(
        figure,
        [
            f"Hidden state i is what a hook on block i-1 sees: for i = 1 to {n - 1} they differ by at most {max(apart[:-1]):.1e}.",
            f"The last one differs by {apart[-1]:.3g}: transformers applies the final norm before it stores it.",
            f"The norm changes its size from {norms[-1]:.3g} to {after:.3g} (median over positions).",
            f"actmax's name for it is {alias.name}, and that agrees to {named:.1e}.",
            f"So hidden_states.{n} and blocks.{n - 1}.hook_resid_post are two places, and a unit's name says which.",
        ],
        inner=max(apart[:-1]),
        last=apart[-1],
        named=named,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
