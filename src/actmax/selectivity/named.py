"""The groups that come with actmax, and what a user may write in place of their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from actmax.errors import ActmaxError, nearest
from actmax.selectivity import wordlists
from actmax.selectivity.files import GroupRow, file_and_label, labels_of, read_rows, with_label
from actmax.selectivity.find import LOWER, PROPER, compiled, find_length, find_pattern
from actmax.selectivity.groups import Group, WordsMode, rule_group, text_group, word_group


def _marked(
    name: str, meaning: str, side: int | None, which: str, mark: str = "*", whole: bool = False
) -> Group:
    """Sentences that come with actmax: one side of the pairs, or a file of marked sentences."""
    if side is None:
        chosen = wordlists.sentences(which, mark)
    else:
        chosen = tuple(pair[side] for pair in wordlists.sentence_pairs())
    rows = [
        GroupRow(item.text, None, None if whole else item.target, f"{which} {n}")
        for n, item in enumerate(chosen)
    ]
    return text_group(name, meaning, rows)


@dataclass(frozen=True)
class BuiltIn:
    """A group that comes with actmax."""

    meaning: str
    partner: str
    """What it is usually compared with."""
    make: Callable[[str, WordsMode], Group]


def _list(meaning: str, partner: str, usual: Literal["alone", "corpus"]) -> BuiltIn:
    def make(name: str, mode: WordsMode) -> Group:
        return word_group(name, meaning, wordlists.words(name), usual if mode == "auto" else mode)

    return BuiltIn(f"{meaning}, {'alone' if usual == 'alone' else 'in running text'}", partner, make)


def _sentences(
    meaning: str, partner: str, which: str, side: int | None = None, mark: str = "*", whole: bool = False
) -> BuiltIn:
    return BuiltIn(meaning, partner, lambda name, mode: _marked(name, meaning, side, which, mark, whole))


_PAIRS, _BOTH = "negation_pairs", "animals_and_vehicles"
BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "nouns": _list("105 nouns", "verbs", "alone"),
        "verbs": _list("118 verbs", "nouns", "alone"),
        "adjectives": _list("60 adjectives", "nouns", "alone"),
        "negation": _list("11 words that deny (not, never, nothing, …)", "affirmation", "corpus"),
        "affirmation": _list("11 words that affirm (always, every, with, …)", "negation", "corpus"),
        "negation-pairs": _sentences("the denying word of 64 sentences", "affirmation-pairs", _PAIRS, 0),
        "affirmation-pairs": _sentences("the affirming word of the same 64", "negation-pairs", _PAIRS, 1),
        "negation-sentences": _sentences(
            "64 sentences that deny, whole", "affirmation-sentences", _PAIRS, 0, whole=True
        ),
        "affirmation-sentences": _sentences(
            "the same 64 sentences, affirming", "negation-sentences", _PAIRS, 1, whole=True
        ),
        "animals": _sentences("the animal of 20 sentences", "vehicles", "animals"),
        "vehicles": _sentences("the vehicle of 20 sentences", "animals", "vehicles"),
        "animals-second": _sentences("the animal of 20 sentences with both", "vehicles-second", _BOTH),
        "vehicles-second": _sentences("the vehicle of the same 20", "animals-second", _BOTH, mark="^"),
        "proper-nouns": BuiltIn(
            "capitalised words inside sentences",
            "lower-case",
            lambda name, mode: rule_group(
                name,
                "capitalised words inside sentences",
                lambda tokens: find_pattern(tokens, PROPER, whole=True),
            ),
        ),
        "lower-case": BuiltIn(
            "words in lower case inside sentences",
            "proper-nouns",
            lambda name, mode: rule_group(
                name,
                "words in lower case inside sentences",
                lambda tokens: find_pattern(tokens, LOWER, whole=True),
            ),
        ),
    }
)
"""What ``--list`` shows."""


def parse_group(name: str, mode: WordsMode = "auto") -> Group:
    """The group that a name, a rule or a file stands for.

    Raises:
        ActmaxError: it is none of them, or holds nothing.
    """
    kind, colon, rest = name.partition(":")
    if name in BUILT_IN:
        return BUILT_IN[name].make(name, mode)
    if colon and kind == "words":
        words = tuple(dict.fromkeys(word.strip() for word in rest.split(",") if word.strip()))
        if not words:
            raise ActmaxError(f"The group {name!r} is empty; write for example words:cat,dog.")
        return word_group(name, f"{len(words)} words", words, "corpus" if mode == "auto" else mode)
    if colon and kind == "regex":
        if not rest:
            raise ActmaxError(f"The group {name!r} is empty; write for example 'regex:[0-9]+'.")
        compiled(rest)
        return rule_group(name, f"matches of {rest}", lambda tokens: find_pattern(tokens, rest))
    if colon and kind == "length":
        least, most = _bounds(name, rest)
        letters = rest if most == least else f"{least} to {most or 'any number of'}"
        return rule_group(
            name,
            f"words of one token with {letters} letters",
            lambda tokens: find_length(tokens, least, most),
        )
    if found := file_and_label(name):
        path, label = found
        rows = read_rows(path)
        if not rows:
            raise ActmaxError(f"The group {name!r} is empty; put a line into the file.")
        if label is not None:
            rows = with_label(rows, label, path)
        shown = path.name if label is None else f"{path.name}#{label}"
        return text_group(shown, f"{len(rows)} texts of a file", rows)
    raise ActmaxError(
        f"There is no group {name!r}; the nearest are {nearest(name, BUILT_IN)}. `actmax select --list` names"
        " them all; words:a,b, regex:PATTERN and files are groups too."
    )


def both_labels(file: str) -> tuple[str, str]:
    """The groups ``FILE#LABEL`` of a file of records with two labels.

    Raises:
        ActmaxError: the labels are constant, missing, or more than two.
    """
    path = Path(file)
    labels = labels_of(read_rows(path), path)
    if len(labels) == 1:
        raise ActmaxError(
            f"All labels in {path.name} are {labels[0]!r}; give texts of two labels, or another group"
            " with --b."
        )
    if len(labels) != 2:
        raise ActmaxError(
            f"{path.name} has {len(labels)} labels; choose two of them: --a {path.name}#LABEL"
            f" --b {path.name}#LABEL."
        )
    return f"{file}#{labels[0]}", f"{file}#{labels[1]}"


def _bounds(name: str, text: str) -> tuple[int, int | None]:
    found = re.fullmatch(r"(\d{1,6})(-(\d{0,6}))?", text)
    if found is None or int(found[1]) < 1:
        raise ActmaxError(f"{name!r} is not a length; write length:7, length:3-5 or length:8-.")
    least = int(found[1])
    if found[2] is None:
        return least, least
    most = int(found[3]) if found[3] else None
    if most is not None and most < least:
        raise ActmaxError(f"{name!r} holds no length; write the smaller number first.")
    return least, most
