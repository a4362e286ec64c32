"""The libraries of the ``stats`` extra, imported when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from actmax.errors import ActmaxError


def need(module: str) -> Any:
    """The module of that name, for example ``scipy.special``.

    Raises :class:`ActmaxError`, naming the extra to install, where the library is missing.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        raise ActmaxError(
            f"the statistics need {library}, which is not installed; "
            "install it with: pip install actmax[stats]"
        ) from error
