"""HTML from templates: everything is escaped and made visible, unless it was built as markup.

``base.html.j2`` holds the head, the style and the frame of every page; a page's template extends it and fills
the blocks ``title`` and ``content``. Its content security policy forbids
scripts and every request.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from actmax import legible, numbers
from actmax.report import tokens
from actmax.results.shown import ShownColumn, columns_shown
from actmax.version import __version__

MOST_BYTES = 2_000_000
"""No page is larger."""


@dataclass(frozen=True)
class Stat:
    """A number that stands for itself at the head of a page."""

    label: str
    value: str
    meaning: str
    """One line of plain words."""


@dataclass(frozen=True)
class Plot:
    """A figure with its words."""

    title: str
    drawing: Markup
    meaning: str
    """What is seen, and what to read from it, in plain words."""
    wide: bool = False
    narrow: Markup | None = None
    """The drawing for narrow screens, where shrinking or scrolling would hide the point."""


def stats_of(row: Any, *, without: Collection[str] = ()) -> list[Stat]:
    """The fields of ``row`` that are shown at the head of a page."""
    columns = columns_shown([row], "head", without=without)
    return [
        Stat(f"{column.label[:1].upper()}{column.label[1:]}", column.texts[0], column.meaning)
        for column in columns
    ]


def drawn_column(column: ShownColumn, label: str, meaning: str, drawings: Sequence[Markup]) -> ShownColumn:
    """A column with drawings in place of its texts."""
    return replace(column, label=label, meaning=meaning, texts=tuple(drawings))


def render(template: str, **context: Any) -> str:
    """The page or piece of a page that ``template`` makes of ``context``; a name it lacks is an error."""
    return _environment().get_template(template).render(version=__version__, **context)


def pairs(data: Any, prefix: str = "") -> Sequence[tuple[str, str]]:
    """Nested plain data as (name, value) rows for a table, names joined by dots."""
    if isinstance(data, dict):
        return [
            row
            for key, value in data.items()
            for row in pairs(value, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(data, list | tuple):
        return [(prefix, ", ".join(str(item) for item in data))]
    return [(prefix, numbers.NONE if data is None else str(data))]


def _shown(value: Any) -> Any:
    """What an expression in a template comes to: text loses its invisible characters, markup stays."""
    return legible.legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": numbers.number,
        "count": numbers.count,
        "cosine": numbers.cosine,
        "formatted": numbers.formatted,
        "token": tokens.token,
        "strip": tokens.token_strip,
    }
    return made
