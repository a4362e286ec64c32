"""Errors meant for people.

Every mistake that a user can make ends in an :class:`ActmaxError`, whose text is one plain sentence that
names the remedy. The command line prints that sentence and exits with 2; the library raises it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class ActmaxError(Exception):
    """A mistake, or something missing, that the user can correct; ``str(error)`` is the sentence to show."""


class SettingError(ActmaxError):
    """A setting whose value is refused.

    Args:
        name: the field, which is also the option and the argument.
        problem: what the value must be, to follow the name: "must be at least 1 (got 0)".
        sentence: the whole sentence, where the name does not come first.
    """

    def __init__(self, name: str, problem: str, *, sentence: str = "") -> None:
        super().__init__(sentence or f"{name} {problem}")
        self.for_command_line = sentence or f"--{name.replace('_', '-')} {problem}"
        """The same sentence with the option's name."""


class Interrupted(ActmaxError):  # noqa: N818 - the user's wish is not an error
    """The user stopped the work (Ctrl-C); the message says where the results so far were saved."""


def nearest(word: str, known: Iterable[str], n: int = 3) -> str:
    """The names in ``known`` that are most similar to ``word``, for "did you mean" sentences.

    Returns a comma-separated string, empty where nothing is known.
    """
    names = list(known)
    close = get_close_matches(word, names, n=n, cutoff=0.0)
    return ", ".join(close)


def one_of(words: Sequence[str]) -> str:
    """Words as a choice: "cosine, l2 or dot"."""
    *others, last = list(words) or [""]
    return f"{', '.join(others)} or {last}" if others else last
