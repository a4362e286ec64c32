"""Tokens made visible, and harmless.

A token may hold spaces, newlines, terminal escapes, marks that turn the direction of text, or markup. Spaces
are shown as ``·``, newlines as ``⏎``, tabs as ``⇥``, and other control and invisible characters as
``⟨U+202E⟩``; everything is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from actmax.legible import LONGEST, characters
from actmax.numbers import count, number


def visible_html(text: str) -> Markup:
    """:func:`visible`, escaped, with stand-ins for what is invisible in ``<i>``; very long text is cut."""
    pieces = [
        Markup("<i>{}</i>").format(shown) if replaced else escape(shown)
        for shown, replaced in characters(text[:LONGEST])
    ]
    more = len(text) - LONGEST
    pieces += [Markup("<i>… {} more</i>").format(count(more))] if more > 0 else []
    return Markup("").join(pieces)


def token(text: str, title: str = "") -> Markup:
    """One token as a chip."""
    return Markup('<span class="token" title="{}">{}</span>').format(title, visible_html(text) or "∅")


def token_strip(
    tokens: Sequence[str], values: Sequence[float] | None = None, *, largest: float | None = None
) -> Markup:
    """Tokens side by side, coloured by a value each: blue above zero, orange below, stronger when farther.

    Args:
        tokens: as the tokenizer decodes them one by one.
        values: one per token, in any unit; None for no colour. Each is also the token's tooltip.
        largest: the magnitude that gets the full colour; the largest of ``values`` where None.
    """
    if values is None:
        chips = [token(text) for text in tokens]
    else:
        finite = [abs(value) for value in values if math.isfinite(value)]
        full = largest or max(finite, default=0.0) or 1.0
        chips = [_coloured(text, value, full) for text, value in zip(tokens, values, strict=True)]
    return Markup('<span class="tokens">{}</span>').format(Markup("").join(chips))


def _coloured(text: str, value: float, full: float) -> Markup:
    if not math.isfinite(value):
        return token(text, "not finite")
    share = min(abs(value) / full, 1.0)
    chip = Markup('<span class="token {}" style="--share:{}" title="{}">{}</span>')
    return chip.format(
        "above" if value >= 0 else "below", f"{share:.2f}", number(value), visible_html(text) or "∅"
    )
