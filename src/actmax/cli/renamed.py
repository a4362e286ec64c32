"""Options that had other names in version 0.1: still understood, no longer shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

FORMER: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "maximize": {"--nearest": ("--metric",), "--unreachable": ("--no-reachable",)},
        "select": {"--hold-out": ("--hold",), "--padded": ("--batching", "padded")},
        "reproduce": {"--restarts": ("--runs",)},
        "investigate": {"--restarts": ("--runs",)},
    }
)
"""Verb to former option to what is written today."""


def renamed(words: Sequence[str]) -> list[str]:
    """A command line with today's names."""
    former = FORMER.get(words[0], {}) if words else {}
    today: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        new = former.get(name, (name,))
        today += [*new[:-1], f"{new[-1]}{equals}{value}"]
    return today
