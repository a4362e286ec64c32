"""How a field of a result is shown, said once beside the field.

::

    cross_entropy: Annotated[float, Shown("cross-entropy", "nats per token of the text under the same model")]

What follows from a field's annotation:

==================  ================================================================================
JSON schema         type, title and description (:func:`actmax.results.schema.schema_of`)
checking on load    :func:`actmax.results.plain.from_plain`
JSON text           :func:`actmax.results.plain.json_text`
frame               a column, for numbers, words and lists of them (:mod:`actmax.results.frames`)
terminal and page   a column of the table, and a number at the head of the page (:func:`columns_shown`)
comparison          a column of the table of methods
documentation       a row of ``docs/results.md``
==================  ================================================================================

A column in which no row has a value is left out, so a field that some methods cannot fill needs no condition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from actmax.legible import visible
from actmax.numbers import NONE, formatted

View: TypeAlias = Literal["terminal", "page", "head", "comparison"]
"""``page`` and ``terminal``: the table of a result there; ``head``: a number at the head of the page;
``comparison``: the table of several methods."""


@dataclass(frozen=True)
class Shown:
    """What people read in place of a field's name."""

    label: str
    """The head of its column, in lower case."""
    meaning: str
    """A phrase that says what it is, with its unit."""
    format: str = "number"
    """``number``, ``count``, ``percent``, ``cosine``, ``seconds``, ``times``, or a specification as ``.2f``;
    words, truth values and lists are shown as what they are."""
    views: tuple[View, ...] = ("page",)

    def text(self, value: Any) -> str:
        """``value`` as people read it; a dash where there is none."""
        if value is None or (isinstance(value, str | Sequence) and not len(value)):
            return NONE
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return visible(value)
        if isinstance(value, Sequence):
            return self._of_many(value)
        return formatted(value, self.format)

    def _of_many(self, values: Sequence[Any]) -> str:
        """Words beside one another; of numbers the smallest and the largest."""
        if any(isinstance(value, str) for value in values):
            return " ".join(visible(str(value)) for value in values)
        low, high = (self.text(end(values)) for end in (min, max))
        return low if low == high else f"{low} to {high}"

    def __get_pydantic_json_schema__(
        self, core: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        return handler(core) | {"title": self.label, "description": self.meaning}


class Keywords:
    """Further keywords of a field's JSON Schema, such as ``pattern`` or ``enum``.

    They are for those who check files with other tools; loading does not depend on them.
    """

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(
        self, core: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        return handler(core) | self.keywords


@dataclass(frozen=True)
class AtLeast:
    """Whole numbers from ``least`` on."""

    least: int

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.int_schema(ge=self.least)


Count: TypeAlias = Annotated[int, AtLeast(0)]
"""A whole number that is at least 0."""


class Beside:
    """The mark of a field that lies in a file of its own and not in ``result.json``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.any_schema()

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> Any:
        from pydantic_core import PydanticOmit

        raise PydanticOmit


@dataclass(frozen=True)
class ShownColumn:
    """A column of a table: its head, and a cell for every row."""

    name: str
    """Of the field."""
    label: str
    meaning: str
    numeric: bool
    texts: tuple[str, ...]
    """Plain text; a page may put drawings in its place."""


@cache
def shown_fields(kind: Any) -> Mapping[str, Shown]:
    """How the fields of a dataclass are shown, in their order; fields without label are left out."""
    hints = get_type_hints(kind, include_extras=True)
    found = {one.name: _shown(hints[one.name]) for one in fields(kind)}
    return {name: shown for name, shown in found.items() if shown is not None}


def columns_shown(
    rows: Sequence[Any], view: View, *, without: Collection[str] = ()
) -> tuple[ShownColumn, ...]:
    """The table of ``rows``, all of one dataclass, as ``view`` shows it.

    Args:
        rows: instances of a dataclass.
        view: only fields that are shown there.
        without: names of fields to leave out.
    """
    if not rows:
        return ()
    made: list[ShownColumn] = []
    for name, shown in shown_fields(type(rows[0])).items():  # type: ignore[arg-type]  # a class is hashable
        values = [getattr(row, name) for row in rows]
        if view in shown.views and name not in without and any(map(_is_there, values)):
            numeric = all(_is_number(value) for value in values)
            texts = tuple(shown.text(value) for value in values)
            made.append(ShownColumn(name, shown.label, shown.meaning, numeric, texts))
    return tuple(made)


@cache
def beside(kind: Any) -> frozenset[str]:
    """Names of the fields of a dataclass that lie in files of their own."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(
        one.name
        for one in fields(kind)
        if any(isinstance(mark, Beside) for mark in getattr(hints[one.name], "__metadata__", ()))
    )


def _shown(hint: Any) -> Shown | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((mark for mark in get_args(hint)[1:] if isinstance(mark, Shown)), None)


def _is_number(value: Any) -> bool:
    """Whether a number, a list of numbers, or nothing."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(_is_number(item) for item in value)
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_there(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is not None and (not isinstance(value, str | Sequence) or len(value) > 0)
