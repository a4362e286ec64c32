"""Objectives as text: ``hidden_states.4:90 - 0.5*hidden_states.4:91 - 0.2*cross_entropy``.

1. A sum of addends with spaces around ``+`` and ``-``; each addend may have a weight, ``0.5*ADDEND``.
2. An addend is a unit, some units read in one way (``max(UNIT - 0.5*UNIT)``), or a penalty:
   ``cross_entropy``, ``squared_norm``, ``shell_distance``.
3. ``mean``, ``last``, ``max``, ``min`` and ``at3`` (position 3) read what is in their parentheses: the
   weighted sum of the units at every position, then the reduction.
4. Units outside of parentheses are read together, as ``--positions`` says: ``a - 0.5*b`` at the last position
   is the activation of ``a`` less half of that of ``b`` there.

Spaces within quotes belong to a unit: ``unembed.hook_logits:" - "``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from actmax.errors import ActmaxError
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.objectives.activation import NAMED, activation
from actmax.objectives.objective import Objective
from actmax.objectives.penalties import cross_entropy, shell_distance, squared_norm
from actmax.objectives.positions import Where

PENALTIES: Mapping[str, Callable[[Model], Objective]] = {
    "cross_entropy": lambda model: cross_entropy(),
    "squared_norm": lambda model: squared_norm(),
    "shell_distance": shell_distance,
}
_WEIGHT = re.compile(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)\s*\*\s*(.+)", re.DOTALL)
_READ = re.compile(rf"({'|'.join(NAMED)}|at\d+)\((.*)\)", re.DOTALL)


def is_expression(text: str) -> bool:
    """Whether a text is more than the name of one unit."""
    addends = _addends(text)
    weight, inner = addends[0]
    return len(addends) > 1 or weight != 1 or inner in PENALTIES or _READ.fullmatch(inner) is not None


def parse_objective(model: Model, text: str, positions: Where) -> Objective:
    """The objective that a text describes.

    Args:
        model: whose units are named.
        text: see above; also the name of one unit.
        positions: how units outside of parentheses are read.

    Raises:
        ActmaxError: a part of it is neither a unit nor anything else of the above, or a weight is 0.
    """
    terms: list[Objective] = []
    plain: list[tuple[float, Unit]] = []
    for weight, inner in _addends(text):
        read = _READ.fullmatch(inner)
        if inner in PENALTIES:
            terms.append(weight * PENALTIES[inner](model))
        elif read is not None:
            units = [(w, resolve(model, name)) for w, name in _addends(read[2])]
            terms.append(weight * _activation(units, _where(read[1])))
        else:
            if not plain:
                terms.append(activation(resolve(model, inner)))  # its place, until all units are known
                place = len(terms) - 1
            plain.append((weight, resolve(model, inner)))
    if plain:
        terms[place] = _activation(plain, positions)
    return Objective(tuple(term for objective in terms for term in objective.terms))


def _activation(units: list[tuple[float, Unit]], positions: Where) -> Objective:
    """Several units as one activation, under the weight of the first."""
    weight, unit = units[0]
    return weight * activation(unit, positions, also=[(w / weight, other) for w, other in units[1:]])


def _where(word: str) -> Where:
    named: dict[str, Where] = {"mean": "mean", "last": "last", "max": "max", "min": "min"}
    return named[word] if word in named else int(word.removeprefix("at"))


def _addends(text: str) -> list[tuple[float, str]]:
    """The addends of a sum with their weights."""
    found: list[tuple[float, str]] = []
    for sign, part in _split(text):
        weighted = _WEIGHT.fullmatch(part)
        weight, inner = (float(weighted[1]), weighted[2].strip()) if weighted else (1.0, part)
        if not inner:
            raise ActmaxError(
                f"A part of the objective {text!r} is empty; write for example 'hidden_states.4:90 - "
                "0.5*hidden_states.4:91', with spaces around + and -."
            )
        if weight == 0:
            raise ActmaxError(f"The weight of {inner} is 0; leave it out of the objective.")
        found.append((sign * weight, inner))
    return found


def _split(text: str) -> list[tuple[float, str]]:
    """The parts between a plus or a minus that has spaces around it, outside of quotes and parentheses."""
    text = text.strip() + " "
    sign = 1.0
    if text.startswith("-"):
        sign, text = -1.0, text[1:].lstrip()
    parts: list[tuple[float, str]] = []
    depth, quoted, begin = 0, False, 0
    for at, letter in enumerate(text):
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter == "(") - (letter == ")")
        if letter in "+-" and not quoted and depth == 0 and text[at - 1 : at + 2] == f" {letter} ":
            parts.append((sign, text[begin:at].strip()))
            sign, begin = (-1.0 if letter == "-" else 1.0), at + 1
    return [*parts, (sign, text[begin:].strip())]
