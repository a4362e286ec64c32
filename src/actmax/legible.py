"""Text made visible: one line of characters that can be seen, for pages and terminals.

A token may hold spaces, newlines, terminal escapes, or marks that turn the direction of text. Spaces are
shown as ``·``, newlines as ``⏎``, tabs as ``⇥``, and other control and invisible characters as ``⟨U+202E⟩``.
"""

from __future__ import annotations

import unicodedata

LONGEST = 160
"""Characters of a token that are shown; what a vocabulary holds is far shorter."""

SPACE, NEWLINE, TAB = "·", "⏎", "⇥"
_PICTURES = {" ": SPACE, "\n": NEWLINE, "\t": TAB}
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}


def visible(text: str) -> str:
    """``text`` as one line of characters that can be seen, for pages and terminals alike (not escaped)."""
    return "".join(shown for shown, _ in characters(text))


def legible(text: str) -> str:
    """``text`` for prose: as :func:`visible`, but plain spaces stay spaces."""
    return " ".join(visible(word) for word in text.split(" "))


def characters(text: str) -> list[tuple[str, bool]]:
    """What to show for each character, and whether it stands for something else."""
    shown: list[tuple[str, bool]] = []
    for place, character in enumerate(text):
        category = unicodedata.category(character)
        if character in _PICTURES:
            shown.append((_PICTURES[character], True))
        elif category in _INVISIBLE:
            shown.append((f"⟨U+{ord(character):04X}⟩", True))
        elif category.startswith("M") and place == 0:
            shown.append(("◌" + character, False))
        else:
            shown.append((character, False))
    return shown
