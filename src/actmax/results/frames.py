"""Restarts as columns, for pandas and polars alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from actmax.errors import ActmaxError
from actmax.results.run import Run

_OF_A_RUN = (
    "restart",
    "activation_initial",
    "activation_final",
    "activation_of_ids",
    "activation_of_text",
    "retokenizes",
    "cross_entropy",
    "text",
    "stopped",
)
_LISTS = ("ids", "tokens", "cosine")
_OF_A_STEP = ("activation", "gradient_norm", "neighbor_activation")


def columns(runs: Sequence[Run], what: str) -> dict[str, list[Any]]:
    """Column name to values.

    ``runs`` has one row per restart; ``trajectories`` one per restart and step (``restart``, ``step``,
    ``activation``, ``gradient_norm``, ``neighbor_activation``; None where a method records none).

    Raises:
        ActmaxError: ``what`` is neither.
    """
    if what == "trajectories":
        steps = [(run, i) for run in runs for i in range(len(run.trajectory.step))]
        return {
            "restart": [run.restart for run, _ in steps],
            "step": [run.trajectory.step[i] for run, i in steps],
            **{
                name: [(getattr(run.trajectory, name) or {i: None})[i] for run, i in steps]
                for name in _OF_A_STEP
            },
        }
    if what != "runs":
        raise ActmaxError(f"there is no table {what!r}; ask for 'runs' or 'trajectories'.")
    return {
        **{name: [getattr(run, name) for run in runs] for name in _OF_A_RUN},
        **{name: [list(getattr(run, name)) for run in runs] for name in _LISTS},
    }


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
        return library("pandas").DataFrame(dict(self.columns(what)))

    def to_polars(self, what: str | None = None) -> Any:
        """A ``polars.DataFrame`` of :meth:`columns`.

        Raises:
            ActmaxError: there is no such table, or polars is not installed.
        """
        return library("polars").DataFrame(dict(self.columns(what)))


def library(name: str) -> Any:
    """A data-frame library, imported when it is asked for.

    Raises:
        ActmaxError: it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ActmaxError(f"{name} is not installed; install it with: pip install {name}") from error
