"""Who draws a result: named by the layer on top, so that plain data need not know of pages and plots.

A result asks for its renderer by its schema. ``actmax/__init__.py`` says which module that is with
:func:`use_renderer`; the module is imported when the first page is drawn, and with it matplotlib and jinja2.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast, runtime_checkable

from actmax.errors import ActmaxError

_MODULES: dict[str, str] = {}


@runtime_checkable
class Renderer(Protocol):
    """A module with these two functions."""

    def page(self, result: Any) -> str:
        """The whole of ``report.html``."""

    def summary(self, result: Any) -> str:
        """A piece of HTML for a notebook's cell."""


def use_renderer(schema: str, module: str) -> None:
    """Draw results of ``schema`` (such as ``actmax.maximize/1``) with the functions of ``module``."""
    _MODULES[schema] = module


def renderer_of(schema: str) -> Renderer:
    """The renderer of a schema.

    Raises:
        ActmaxError: none was named for it.
    """
    if schema not in _MODULES:
        raise ActmaxError(
            f"no page is known for {schema}; name its module with actmax.results.rendering.use_renderer."
        )
    return cast(Renderer, import_module(_MODULES[schema]))
