"""What ``actmax atlas`` shows on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from actmax.legible import legible

if TYPE_CHECKING:
    from actmax.atlas.atlas import AtlasExample, AtlasUnit, Found

_BEFORE, _AFTER = 44, 22
"""Characters of context in the terminal; ``--json`` has all of it."""


def show_build(manifest: Any, folder: Path, screen: Console) -> None:
    """Say what was recorded and where it is."""
    read = manifest["corpus"]
    screen.print(
        f"{manifest['units']:,} units of {escape(manifest['model'])} over {read['tokens']:,} tokens of"
        f" {escape(read['name'])} in {escape(str(folder))}"
    )
    for phrase in read["skipped"]:
        screen.print(escape(legible(phrase)), style="yellow")
    if read["attribution"]:
        screen.print(escape(legible(read["attribution"])))


def show_unit(found: AtlasUnit, manifest: Any, screen: Console) -> None:
    """Write a unit's statistics and its examples at either end."""
    for line in _statistics(found, manifest):
        screen.print(Text(line))
    for title, examples in (("Strongest", found.top), ("Weakest", found.bottom)):
        screen.print(Text(f"\n{title}, one a document"))
        for example in examples:
            screen.print(
                _line(example, plain=not screen.is_terminal), no_wrap=True, crop=False, overflow="ignore"
            )
    if manifest["corpus"]["attribution"]:
        screen.print(Text("\n" + manifest["corpus"]["attribution"]))


def show_found(found: Sequence[Found], screen: Console) -> None:
    """Write one line per unit."""
    if not found:
        screen.print("No unit's examples match.")
    for one in found:
        tokens = " ".join(repr(token) for token in one.tokens[:6])
        screen.print(
            Text(f"{one.unit:34} {one.matches:3d} of {one.of}  {one.max:10.3f}  {tokens}"), soft_wrap=True
        )


def _statistics(found: AtlasUnit, manifest: Any) -> list[str]:
    read = manifest["corpus"]
    shares = "  ".join(f"{percent:g} %: {value:.3g}" for percent, value in found.percentiles.items())
    return [
        f"{found.unit} of {manifest['model']} over {found.count:,} positions of {read['name']}"
        f" (text {read['sha256'][:12]})",
        f"mean {found.mean:.4g}  std {found.std:.4g}  min {found.min:.4g}  max {found.max:.4g}"
        f"  above zero {found.density:.2%}",
        f"percentiles (from one position in {manifest['histogram_every']}): {shares}",
    ]


def _line(example: AtlasExample, *, plain: bool) -> Text:
    """One example on one line; the token is marked, and what is not printable is shown as its escape."""
    before, after = legible(example.text_before)[-_BEFORE:], legible(example.text_after)[:_AFTER]
    line = Text(f"{example.activation:10.3f}  {before:>{_BEFORE}}")
    token = legible(example.token)
    line.append(f"‹{token}›" if plain else token, style="bold reverse")
    line.append(after)
    return line
