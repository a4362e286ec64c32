"""Site patterns: ``blocks.*.mlp.hook_pre`` names that site of every block."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from actmax.errors import ActmaxError, nearest
from actmax.models.model import Model
from actmax.models.sites import Site, list_sites, resolve_site

NEURONS = "blocks.*.mlp.hook_pre"
"""All MLP neurons, before the non-linearity."""


def match_sites(model: Model, patterns: Sequence[str]) -> tuple[Site, ...]:
    """The sites that any of the patterns names, in the order of the forward pass.

    ``*`` stands for anything, ``?`` for one character, ``[0-3]`` for one of some; ``hidden_states.*`` for all
    hidden states.

    Raises:
        ActmaxError: a pattern names no site of the model.
    """
    known = list(list_sites(model))
    chosen: set[str] = set()
    for pattern in patterns:
        if any(sign in pattern for sign in "*?["):
            names = [*known, *(f"hidden_states.{i}" for i in range(model.n_blocks + 1))]
            found = [name for name in names if fnmatchcase(name, pattern)]
            if not found:
                raise ActmaxError(
                    f"{pattern!r} names no site of {model.name}; the nearest are {nearest(pattern, known)}."
                )
        else:
            found = [pattern]
        chosen |= {resolve_site(model, name).name for name in found}
    return tuple(resolve_site(model, name) for name in known if name in chosen)
