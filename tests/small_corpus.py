"""A small corpus of small texts."""

from __future__ import annotations

from pathlib import Path

WORDS = "the cat sat on the mat and the dog ran to the sea where a red ship was waiting for the tide. "


def small_corpus(folder: Path) -> str:
    """Six files with the same words in other orders, written into the folder; its path."""
    for k in range(6):
        (folder / f"{k}.txt").write_text((WORDS[7 * k :] + WORDS[: 7 * k]) * 3, encoding="utf-8")
    return str(folder)
