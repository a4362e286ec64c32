"""Results as tables on the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from actmax.results.shown import ShownColumn


def shown_table(columns: Sequence[ShownColumn], marked: Collection[int] = ()) -> Table:
    """A table of columns, lists of words after all others; the rows in ``marked`` get an asterisk."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    ordered = sorted(columns, key=lambda column: column.name == "tokens")
    for column in ordered:
        table.add_column(column.label, justify="right" if column.numeric else "left", overflow="fold")
    for k in range(len(columns[0].texts) if columns else 0):
        cells = [column.texts[k] for column in ordered]
        cells[0] += " *" if k in marked else ""
        table.add_row(*(Text(cell) for cell in cells))
    return table
