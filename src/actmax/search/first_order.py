"""Which substitutions promise most to first order.

The promise of token v at a position is ``g · (x_v - x)``: ``x`` is what is there, ``x_v`` the token's vector
in its place and ``g`` the slope of the score, all of it at the embedding (the one-hot gradient of HotFlip and
GCG) or all of it after a block (:mod:`actmax.search.after_block`). A price on the cross-entropy adds what
the token is worth as a target: ``price · (log p(v) - log p(there)) / length``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from actmax.search.after_block import AfterBlock
from actmax.search.engine import Graph
from actmax.search.problem import Problem
from actmax.shapes import Ids, Scores


@torch.no_grad()
def promising(
    graph: Graph,
    slopes: Sequence[Float[Tensor, "batch _ d_model"]],
    ids: Ids,
    problem: Problem,
    price: Scores,
    k: int,
    block: AfterBlock | None,
) -> tuple[Int[Tensor, "batch pos n"], Float[Tensor, "batch pos n"]]:
    """Tokens for every searched position, best first, and their promises.

    Args:
        graph: the rows, as they were run.
        slopes: of the score at the embeddings and, with ``block``, after that block.
        ids: ``[batch, token]`` the rows.
        problem: which tokens are allowed.
        price: of a nat per token, row by row.
        k: tokens of each kind.
        block: tokens after a block; they come in turn with those of the embedding.
    """
    target = (
        None if graph.logps is None else graph.logps * (price.to(graph.logps) / ids.shape[1])[:, None, None]
    )
    matrix = problem.model.embedding
    device = matrix.device
    forbidden = ~problem.tokens.allowed.mask.to(device)

    def best(slope: Tensor, vectors: Tensor, there: Tensor, tokens: Tensor | None) -> tuple[Tensor, Tensor]:
        gain = (slope.flatten(0, 1) @ vectors.T.to(slope)).float().unflatten(0, slope.shape[:2])
        if target is not None:
            gain += target if tokens is None else target[..., tokens]
        barred = forbidden if tokens is None else forbidden[tokens]
        top = gain.masked_fill_(barred, -torch.inf).topk(min(k, int((~barred).sum())), dim=2)
        here = (slope * there).sum(dim=2, keepdim=True).float()
        if target is not None:
            here += target.gather(2, ids.to(device)[..., None])
        return (top.indices if tokens is None else tokens[top.indices]).cpu(), (top.values - here).cpu()

    first = best(slopes[0], matrix, graph.leaf.detach(), None)
    if block is None or graph.stream is None:
        return first
    n = ids.shape[1]
    second = best(slopes[1][:, :n], block.vectors, graph.stream[:, :n], block.ids.to(device))
    size = min(first[0].shape[2], second[0].shape[2])
    tokens, gains = (
        torch.stack([one[..., :size], other[..., :size]], dim=3).flatten(2)
        for one, other in zip(first, second, strict=True)
    )
    return tokens, gains
