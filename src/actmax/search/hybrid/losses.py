"""Substitutions that have lost, so that they need not be tried on every relative of a row.

A row that was better than its parent is lent its parent's proposals, and the first of them are drawn most
often: without a memory much of a search is spent on changes that have just failed on the parent. Activations
are far from additive over positions, so a loss says something about near relatives only.
"""

from __future__ import annotations

from collections import defaultdict

from actmax.search.hybrid.population import differences
from actmax.search.problem import Row


class Losses:
    """Which single substitutions made which rows worse."""

    def __init__(self, near: int) -> None:
        """A loss holds for rows that differ in at most ``near`` other positions from the one that had it."""
        self._near = near
        self._had: defaultdict[tuple[int, int], list[Row]] = defaultdict(list)

    def add(self, parent: Row, child: Row) -> None:
        """The child was worse than the parent. Children of several changes say nothing about each."""
        if (change := _single(parent, child)) is not None:
            self._had[change].append(parent)

    def expect(self, parent: Row, child: Row) -> bool:
        """Whether the child is one substitution away, and it has lost on the parent's like."""
        change = _single(parent, child)
        if change is None or change not in self._had:
            return False
        at = change[0]
        had = self._had[change]
        return any(differences(parent, row) - (parent[at] != row[at]) <= self._near for row in had)


def _single(parent: Row, child: Row) -> tuple[int, int] | None:
    """Position and token of the only substitution between them."""
    changed = [at for at, (a, b) in enumerate(zip(parent, child, strict=True)) if a != b]
    return (changed[0], child[changed[0]]) if len(changed) == 1 else None
