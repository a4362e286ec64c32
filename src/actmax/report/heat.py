"""Running text coloured by what a unit says at each token.

Blue is above zero and orange below, stronger when farther, with one scale for all texts of a unit. The token
that an example is about is ringed, a token that statistics leave out is dotted, and the number of each is its
tooltip. Spaces and other white space are visible, and everything is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from actmax.numbers import number
from actmax.report.tokens import visible_html

_MAY_BREAK = Markup("<wbr>")
_FAINT = 0.02
"""Share of the full colour below which a token is left blank."""


def heat(tokens: Sequence[str], values: Sequence[float], peak: int, full: float) -> Markup:
    """One example.

    Args:
        tokens: its tokens' texts.
        values: the unit at each; NaN where the position is left out.
        peak: which of them it is about.
        full: the magnitude that gets the full colour.
    """
    spans = [
        # A line may break before a visible space, as it may at a space.
        (_MAY_BREAK if text[:1].isspace() else Markup()) + _token(text, value, full, ring=place == peak)
        for place, (text, value) in enumerate(zip(tokens, values, strict=True))
    ]
    return Markup('<span class="heat" dir="ltr">{}</span>').format(Markup("").join(spans))


def _token(text: str, value: float, full: float, *, ring: bool) -> Markup:
    shown = visible_html(text) or Markup("∅")
    kind = "p" if ring else ""
    if not math.isfinite(value):
        return Markup('<b class="x {}" title="left out">{}</b>').format(kind, shown)
    share = min(abs(value) / full, 1.0) if full > 0 else 0.0
    if share < _FAINT and not ring:
        return Markup('<b title="{}">{}</b>').format(number(value), shown)
    return Markup('<b class="{} {}" style="--s:{}" title="{}">{}</b>').format(
        "a" if value >= 0 else "z", kind, f"{share:.2f}", number(value), shown
    )
