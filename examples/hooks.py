"""Extracting activations with hooks: a hook of torch, and actmax.read, see the same numbers.

The original lesson reads the MLP of GPT-2: --model gpt2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from lesson import BLUE, axes, lesson

import actmax
from actmax.models.sites import resolve_site

TEXT = "The old harbour was quiet before the storm came in from the sea"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    run = lesson(__file__, __doc__, argv)
    model = run.model()
    layer = min(8, model.n_blocks - 1)
    sites = [resolve_site(model, f"blocks.{layer}.{kind}") for kind in ("hook_mlp_out", "mlp.hook_post")]
    ids = torch.tensor([model.tokenizer.encode(TEXT, add_special_tokens=False)])

    seen: dict[str, torch.Tensor] = {}
    block = model.net.get_submodule(f"{model.family.blocks}.{layer}")
    module = block.get_submodule(model.family.mlp_out.module)
    handle = module.register_forward_hook(lambda module, inputs, output: seen.update(out=output))
    with torch.no_grad():
        model.net(ids)
        handle.remove()
        acts = actmax.read(model, sites, ids=ids)
    by_hand, by_actmax = seen["out"].reshape(acts[sites[0]].shape), acts[sites[0]]
    difference = float((by_hand - by_actmax).abs().max())
    post = acts[sites[1]][0]

    figure, (axis,) = axes()
    axis.plot(post.abs().max(dim=1).values.numpy(), "o-", color=BLUE)
    tokens = [str(model.tokenizer.decode([i])) for i in ids[0].tolist()]
    axis.set_xticks(range(len(tokens)), tokens, rotation=60, ha="right")
    axis.set_title(f"largest |neuron| of block {layer} at each token", loc="left")
    first, rest = float(post[0].abs().max()), float(post[1:].abs().max())
    return run.finish(
        figure,
        [
            f"A forward hook on {type(module).__name__} of block {layer} saw a tensor of shape {list(by_hand.shape)}.",
            f"actmax.read gave {sites[0].name} with the largest difference of {difference:.1e}: the same numbers.",
            f"{sites[1].name} is the input of the down-projection: {post.shape[1]} neurons after the non-linearity.",
            f"{float((post < 0).double().mean()):.0%} of its values are negative.",
            f"The first position is an attention sink: |neuron| reaches {first:.3g} there, {rest:.3g} elsewhere.",
        ],
        difference=difference,
        first=first,
        rest=rest,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
