"""The word lists and sentences that come with actmax, written for it (Apache-2.0).

Files in ``data/``: words between white space; a pair of sentences per line, ``She has {never|always} …``;
sentences with one marked word, ``The old *dog* slept …``; and sentences that hold both categories, the
animal marked with ``*``, the vehicle with ``^``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Marked:
    """A sentence and the characters of it that the sample is about."""

    text: str
    target: tuple[int, int]


@cache
def words(name: str) -> tuple[str, ...]:
    """A word list: ``nouns``, ``verbs``, ``adjectives``, ``negation`` or ``affirmation``."""
    return tuple(_read(name).split())


@cache
def sentence_pairs() -> tuple[tuple[Marked, Marked], ...]:
    """Matched sentences, the first with a negation; all else in them is the same."""
    return tuple(_pair(line) for line in _read("negation_pairs").split("\n"))


@cache
def sentences(name: str, mark: str = "*") -> tuple[Marked, ...]:
    """The sentences of a file with the words that ``mark`` is put around; other marks are removed."""
    return tuple(_marked(line, mark) for line in _read(name).split("\n"))


def _pair(line: str) -> tuple[Marked, Marked]:
    found = re.fullmatch(r"(.*)\{(.+)\|(.+)\}(.*)", line)
    if found is None:
        raise ValueError(f"{line!r} is not a pair of sentences")
    before, first, second, after = found.groups()
    one, other = (
        Marked(before + word + after, (len(before), len(before) + len(word))) for word in (first, second)
    )
    return one, other


def _marked(line: str, mark: str) -> Marked:
    others = "".join({"*", "^"} - {mark})
    line = line.replace(others, "")
    before, word, after = line.split(mark)
    return Marked(before + word + after, (len(before), len(before) + len(word)))


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip()
