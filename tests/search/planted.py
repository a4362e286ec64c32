"""Problems on tiny models, and models with a neuron that is known to fire on a phrase."""

from __future__ import annotations

import functools
from typing import Any

import torch
from tests.tiny import tiny_model

from actmax.inputs.allowed import Allowed, allowed_tokens
from actmax.inputs.frame import frame_of
from actmax.inputs.tokens import TokenSpace
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import activation
from actmax.objectives.objective import Objective
from actmax.objectives.penalties import cross_entropy
from actmax.objectives.positions import Where
from actmax.objectives.reading import ReadingRule
from actmax.search.problem import Problem
from actmax.search.sinks import sinks_at

UNIT = "blocks.1.hook_resid_post:3"


@functools.cache
def _model(family: str) -> Model:
    return tiny_model(family)


@functools.cache
def _allowed(family: str) -> Allowed:
    return allowed_tokens(_model(family))


def tiny_problem(
    family: str = "llama",
    *,
    length: int = 5,
    unit: str = UNIT,
    prefix: str = "",
    suffix: str = "",
    reachable: bool = True,
    shortest: int | None = None,
    model: Model | None = None,
    allowed: Allowed | None = None,
    **goal: Any,
) -> Problem:
    """A problem on a random tiny model, BOS in front, sinks left out."""
    model = model or _model(family)
    frame = frame_of(model, prefix=prefix, suffix=suffix)
    allowed = allowed or (_allowed(family) if model is _model(family) else allowed_tokens(model))
    wanted = resolve(model, unit)
    limit = goal.pop("max_cross_entropy", None)
    space = TokenSpace(model, allowed, frame, reachable, length, shortest, limit)
    rule = ReadingRule(sinks_at(model, wanted.site, space))
    return Problem(objective_of(wanted, rule, **goal), space)


def objective_of(
    unit: Unit,
    rule: ReadingRule | None,
    *,
    positions: Where = "last",
    minimize: bool = False,
    fluency: float = 0.0,
    also: Objective | None = None,
) -> Objective:
    """An objective over tokens, as ``actmax.maximize`` makes it."""
    objective = activation(unit, positions, rule=rule)
    objective = -objective if minimize else objective
    objective = objective if also is None else objective + also
    return objective - fluency * cross_entropy() if fluency else objective


WIDTH, PLACES = 32, 16
PLANTED = "blocks.0.mlp.hook_post:0"


def planted_problem(
    phrase: str = "the cat sat", *, threshold: float = 4.0, length: int | None = None, **goal: Any
) -> tuple[Problem, tuple[int, ...]]:
    """A model with a neuron that fires on a phrase of three tokens at the end, and the phrase's ids.

    A GPT-2 of one block is built by hand: token codes in the first 32 dimensions, positions one-hot in the
    last 16. Head 0 attends to the position before and copies its code into a second subspace, head 1 the one
    before that into a third. Neuron 0 is GELU of how well the three subspaces fit the phrase (about 5 for
    each token in its place) less a threshold.
    """
    d = 3 * WIDTH + PLACES
    model = tiny_model("gpt2", n_embd=d, n_head=2, n_inner=8, n_layer=1)
    ids = tuple(model.tokenizer.encode(phrase, add_special_tokens=False))
    assert len(ids) == 3, ids
    generator = torch.Generator().manual_seed(0)
    net: Any = model.net
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if "ln" not in name:
                weight.zero_()
        tokens, block = net.transformer.wte.weight, net.transformer.h[0]
        code = torch.randn(len(tokens), WIDTH, generator=generator)
        code = code / code.norm(dim=1, keepdim=True)
        tokens[:, :WIDTH] = code
        place = torch.arange(PLACES)
        net.transformer.wpe.weight[place, 3 * WIDTH + place] = 1.0
        for head, back in ((0, 1), (1, 2)):
            q, k, v = (part * d + head * (d // 2) for part in range(3))
            block.attn.c_attn.weight[3 * WIDTH + place[back:], q + place[back:] - back] = 3.0
            block.attn.c_attn.weight[3 * WIDTH + place, k + place] = 3.0
            copy = torch.arange(WIDTH)
            block.attn.c_attn.weight[copy, v + copy] = 1.0
            block.attn.c_proj.weight[head * (d // 2) + copy, (head + 1) * WIDTH + copy] = 1 / 7.5
        for k, token in enumerate(reversed(ids)):
            block.mlp.c_fc.weight[k * WIDTH : (k + 1) * WIDTH, 0] = code[token]
        block.mlp.c_fc.bias[0] = -threshold
    frame = frame_of(model)
    unit = resolve(model, PLANTED)
    space = TokenSpace(model, allowed_tokens(model), frame, length=length or 3)
    return Problem(objective_of(unit, ReadingRule(), **goal), space), ids
