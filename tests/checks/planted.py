"""Tiny models in which the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tests.tiny import tiny_model, tiny_tokenizer
from torch import Tensor, nn

from actmax.corpus.tokens import tokens_of_texts
from actmax.corpus.windows import Windows, windows_of
from actmax.models.model import Model

TRIGGERS = ("a", "b", "c")
LETTERS = "defghijklmnopqrstuvwxyz"
GATE = 0
"""The planted unit is this index of the MLP."""


def letters(seed: int = 0, documents: int = 12, length: int = 120) -> Windows:
    """Documents of random letters, each trigger one time in twelve; every letter is one token."""
    rng = np.random.default_rng(seed)
    chances = [1 / 12] * 3 + [9 / 12 / len(LETTERS)] * len(LETTERS)
    texts = [
        "".join(rng.choice([*TRIGGERS, *LETTERS], size=length, p=chances).tolist()) for _ in range(documents)
    ]
    tokens = tokens_of_texts([" ".join(text) for text in texts], tiny_tokenizer())
    return windows_of(tokens, length=33, bos=0)


def token(letter: str) -> int:
    """The id of a letter with the space before it, as the corpus has it."""
    (found,) = tiny_tokenizer().encode(f" {letter}", add_special_tokens=False)[-1:]
    return int(found)


@torch.no_grad()
def triggered(*triggers: str) -> Model:
    """``blocks.1.mlp.hook_pre:0`` is large at the triggers, each in a direction of its own, and nowhere else.

    Attention and MLPs write little, so that contexts of one trigger are alike but not equal.
    """
    model = tiny_model("llama", tie_word_embeddings=False)
    net: Any = model.net.model
    rows = net.embed_tokens.weight
    rows[:, :3] = 0
    for k, trigger in enumerate(TRIGGERS):
        rows[token(trigger)] = 0
        rows[token(trigger), k] = 4
    for block in net.layers:
        block.self_attn.o_proj.weight *= 0.03
        block.mlp.down_proj.weight *= 0.03
    gate = net.layers[1].mlp.gate_proj.weight
    gate[GATE] = 0
    for trigger in triggers:
        gate[GATE, TRIGGERS.index(trigger)] = 3
    return model


@torch.no_grad()
def wired(strength: float) -> Model:
    """A model whose output reads ``blocks.1.mlp.hook_post:0`` with this strength (0: nothing reads it)."""
    model = triggered("a")
    net: Any = model.net.model
    down = net.layers[1].mlp.down_proj.weight
    down[:, GATE] = strength * torch.nn.functional.normalize(down[:, GATE], dim=0)
    net.layers[1].mlp.up_proj.weight[GATE] = 0
    net.layers[1].mlp.up_proj.weight[GATE, 0] = 3
    return model


class Stripes(nn.Module):
    """An activation function with a cliff every 0.06."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sign(torch.sin(50 * x))


def discontinuous() -> Model:
    """A model whose MLP units of block 1 jump."""
    model = tiny_model("llama")
    net: Any = model.net.model
    net.layers[1].mlp.act_fn = Stripes()
    return model


class Previous(nn.Module):
    """In place of attention: writes the first half of the token before into the second half."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.o_proj = attention.o_proj

    def forward(self, hidden_states: Tensor, **rest: Any) -> tuple[Tensor, None]:
        half = hidden_states.shape[-1] // 2
        moved = torch.zeros_like(hidden_states)
        moved[:, 1:, half:] = hidden_states[:, :-1, :half]
        return moved, None


@torch.no_grad()
def reads(what: str) -> Model:
    """``blocks.0.mlp.hook_pre:0`` depends on the ``token`` alone, or on the one ``before`` alone."""
    model = tiny_model("llama")
    net: Any = model.net.model
    half = model.d_model // 2
    net.embed_tokens.weight[:, half:] = 0
    net.layers[0].self_attn = Previous(net.layers[0].self_attn)
    gate = net.layers[0].mlp.gate_proj.weight
    gate[GATE, half:] = 0
    if what == "before":
        gate[GATE, half:] = gate[GATE, :half]
        gate[GATE, :half] = 0
    return model
