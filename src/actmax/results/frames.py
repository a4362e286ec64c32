"""Tables of results as columns, for pandas and polars alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from actmax.errors import ActmaxError

_CELLS = (str, int, float, bool, type(None))


def columns_of(rows: Sequence[Any], kind: type) -> dict[str, list[Any]]:
    """Field name to values: one row for each instance of the dataclass ``kind``.

    Fields are taken that hold a number, a word, a truth value, or a list of them.
    """
    names = _flat_fields(kind)
    return {name: [_cell(getattr(row, name)) for row in rows] for name in names}


def columns_of_steps(rows: Sequence[tuple[Any, Any]], kind: type) -> dict[str, list[Any]]:
    """Field name to values: the lists of each row beside one another, one row for each of their entries.

    Args:
        rows: pairs of (the label of a row, an instance of ``kind``); a list that is empty is one of None.
        kind: a dataclass of lists, the first of which is never empty by itself.
    """
    first, *_ = names = _flat_fields(kind)
    steps = [(label, row, k) for label, row in rows for k in range(len(getattr(row, first)))]
    made: dict[str, list[Any]] = {"restart": [label for label, _, _ in steps]}
    for name in names:
        made[name] = [getattr(row, name)[k] if getattr(row, name) else None for _, row, k in steps]
    return made


class Framed(ABC):
    """A result that has tables."""

    @abstractmethod
    def columns(self, what: str | None = None) -> Mapping[str, list[Any]]:
        """Column name to values; ``what`` names the table, None for the first.

        Raises:
            ActmaxError: there is no such table.
        """

    def to_pandas(self, what: str | None = None) -> Any:
        """A ``pandas.DataFrame`` of :meth:`columns`.

        Raises:
            ActmaxError: there is no such table, or pandas is not installed.
        """
        return frame_library("pandas").DataFrame(dict(self.columns(what)))

    def to_polars(self, what: str | None = None) -> Any:
        """A ``polars.DataFrame`` of :meth:`columns`.

        Raises:
            ActmaxError: there is no such table, or polars is not installed.
        """
        return frame_library("polars").DataFrame(dict(self.columns(what)))


def frame_library(name: str) -> Any:
    """A data-frame library, imported when it is asked for.

    Raises:
        ActmaxError: it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ActmaxError(f"{name} is not installed; install it with: pip install {name}") from error


def no_table(what: str | None, *known: str) -> ActmaxError:
    """The error for a table that a result does not have."""
    return ActmaxError(f"There is no table {what!r}; choose one of: {', '.join(known)}.")


@cache
def _flat_fields(kind: type) -> tuple[str, ...]:
    hints = get_type_hints(kind)
    return tuple(one.name for one in fields(kind) if _is_flat(hints[one.name]))


def _is_flat(hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return all(_is_flat(option) for option in inner)
    if origin is tuple:
        return all(option in _CELLS for option in inner if option is not Ellipsis)
    return hint in _CELLS


def _cell(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
