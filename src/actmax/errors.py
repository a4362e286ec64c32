"""Errors meant for people.

Every mistake that a user can make ends as an :class:`ActmaxError` whose text is one plain sentence that
names the mend. The command line prints that sentence and exits with 2; the library raises it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ActmaxError(Exception):
    """A mistake or a lack that the user can mend; ``str(error)`` is the sentence to show."""


class Interrupted(ActmaxError):  # noqa: N818 - no error: the user's wish
    """The user stopped the work (Ctrl-C); what was done has been saved where the message says."""


def nearest(word: str, known: Iterable[str], n: int = 3) -> str:
    """The names in ``known`` that look most like ``word``, for "did you mean" sentences.

    Returns a comma-separated string, empty where nothing is known.
    """
    names = list(known)
    close = get_close_matches(word, names, n=n, cutoff=0.0)
    return ", ".join(close)
