"""Which searches there are, by the names that ``--method`` takes."""

from __future__ import annotations

from actmax.errors import ActmaxError, nearest
from actmax.search.registry import SHORT, token_methods

SOFT = ("soft-ascent", "soft")
"""Names of the one method over free vectors."""


def token_method(name: str) -> str | None:
    """The own name of a method that searches tokens (``text`` is the best of them); None for soft ascent.

    Raises:
        ActmaxError: there is no such method.
    """
    if name in SOFT:
        return None
    known = [*SOFT, "text", *token_methods()]
    if name not in known:
        raise ActmaxError(f"There is no method {name!r}; the nearest are {nearest(name, known)}.")
    return SHORT["text"] if name == "text" else name
