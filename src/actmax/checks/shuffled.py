"""A copy with shuffled weights.

Every check is repeated on a copy of the model in which the entries of each weight matrix are permuted among
themselves, as a sanity check of the method (Adebayo et al. 2018, "Sanity Checks for Saliency Maps",
arXiv:1810.03292). Architecture, tokenizer and the distribution of the weights stay; what was learned is gone.
Vectors (norms and biases) are not changed. The same unit and the same random units are measured there; a
number that does not rise above theirs says nothing about the learned unit.
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
    """The same architecture and tokenizer, the entries of each weight matrix permuted by the seed.

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
