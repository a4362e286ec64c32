"""Random tokens: what a number is where nothing was searched."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.models.model import Model
from actmax.rng import stream


def random_tokens(model: Model, rows: int, length: int, seed: int, of: int) -> Int[Tensor, "row pos"]:
    """Tokens of the tokenizer drawn evenly, without special ones; ``of`` numbers the stream of draws."""
    size = min(len(model.tokenizer), model.vocab_size)
    special = set(model.tokenizer.all_special_ids)
    ordinary = torch.tensor([i for i in range(size) if i not in special] or list(range(size)))
    drawn: Tensor = ordinary[torch.randint(len(ordinary), (rows, length), generator=stream(seed, of))]
    return drawn
