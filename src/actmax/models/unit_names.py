"""The syntax of units, without a model and without torch."""

from __future__ import annotations

from actmax.errors import ActmaxError


def split_unit(unit: object) -> tuple[str, str]:
    """The site and the index of ``SITE:INDEX``, as text.

    Raises:
        ActmaxError: the text has another form.
    """
    if not isinstance(unit, str):
        raise ActmaxError(f"A unit is a text such as 'hidden_states.4:90', not {unit!r}.")
    name, colon, index = unit.partition(":")
    if not colon or not index:
        raise ActmaxError(f"{unit!r} is not a unit; write SITE:INDEX, for example hidden_states.4:90.")
    return name, index
