"""A copy of a model with shuffled weights: the sanity control of all checks.

The entries of every weight matrix are permuted among themselves (Adebayo et al. 2018, "Sanity Checks for
Saliency Maps", arXiv:1810.03292, randomise weights for the same end), so the copy has the same architecture
and the same distribution of weights in each matrix, and nothing of what was learned. Vectors (norms, biases)
stay. What a check finds there says nothing about the learned unit.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from actmax.models.model import Model, Source
from actmax.rng import stream

_STREAM = 2**30 + 29


@torch.no_grad()
def shuffled_copy(model: Model, seed: int) -> Model:
    """The same architecture, tokenizer and matrices' entries, each matrix permuted by the seed.

    Weights that are tied stay tied.
    """
    net = copy.deepcopy(model.net)
    for k, (_, weight) in enumerate(net.named_parameters()):
        if weight.ndim < 2:
            continue
        flat = weight.flatten()
        order = torch.randperm(flat.numel(), generator=stream(seed, _STREAM, k))
        weight.copy_(flat[order.to(flat.device)].reshape(weight.shape))
    name = f"{model.name} (weights shuffled)"
    return replace(model, net=net, name=name, source=Source("memory", name))
