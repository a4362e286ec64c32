"""Candidates made from proposals: substitutions that may be given, drawn until there are enough."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from actmax.search.problem import Problem, Row

_ROUNDS = 8


def substituted(
    problem: Problem,
    parents: Int[Tensor, "parent pos"],
    tokens: Int[Tensor, "parent pos k"],
    per_parent: int,
    rng: torch.Generator,
) -> tuple[Int[Tensor, "child pos"], Int[Tensor, " child"]]:
    """Children that differ from their parent in one token.

    Position and token are drawn uniformly (the token among the ``k`` proposed for the position). Children
    that may not be given, that repeat another one or are a parent again are drawn anew, a few times.

    Args:
        problem: says which sequences may be given.
        parents: ``[parent, token]``.
        tokens: what to draw from.
        per_parent: children wanted of each.
        rng: draws.

    Returns:
        ``[batch, token]`` and the parent of each row; at most ``per_parent`` of each, fewer where there are
        few.
    """
    n, length = parents.shape
    seen: set[Row] = {tuple(row) for row in parents.tolist()}
    wanted = [per_parent] * n
    rows: list[Row] = []
    of: list[int] = []
    for _ in range(_ROUNDS):
        missing = torch.tensor(wanted).repeat_interleave(2).sum()
        if not int(missing):
            break
        source = torch.arange(n).repeat_interleave(torch.tensor(wanted) * 2)
        at = torch.randint(length, (len(source),), generator=rng)
        pick = torch.randint(tokens.shape[2], (len(source),), generator=rng)
        children = parents[source].clone()
        children[torch.arange(len(source)), at] = tokens[source, at, pick]
        good = problem.tokens.keep(children).tolist()
        for parent, fine, child in zip(source.tolist(), good, children.tolist(), strict=True):
            row: Row = tuple(child)
            if fine and wanted[parent] and row not in seen:
                seen.add(row)
                rows.append(row)
                of.append(parent)
                wanted[parent] -= 1
    order = sorted(range(len(rows)), key=lambda i: of[i])
    ids = torch.tensor([rows[i] for i in order], dtype=torch.long).reshape(-1, length)
    return ids, torch.tensor([of[i] for i in order], dtype=torch.long)


def at_position(
    problem: Problem,
    parent: Int[Tensor, "1 pos"],
    position: int,
    tokens: Int[Tensor, " k"],
    most: int | None = None,
) -> Int[Tensor, "child pos"]:
    """``parent`` (one row) with each of the tokens at one position, those that may be given, in their order.

    Args:
        problem: says which sequences may be given.
        parent: ``[1, token]``.
        position: which token is replaced.
        tokens: what by; the one that is there is left out.
        most: rows wanted.
    """
    fresh = tokens[tokens != parent[0, position]]
    found: list[Tensor] = []
    have = 0
    size = len(fresh) if most is None else max(2 * most, 16)
    for some in fresh.split(max(1, size)):
        rows = parent.repeat(len(some), 1)
        rows[:, position] = some
        found.append(rows[problem.tokens.keep(rows)])
        have += len(found[-1])
        if most is not None and have >= most:
            break
    return torch.cat([parent[:0], *found])[:most]
