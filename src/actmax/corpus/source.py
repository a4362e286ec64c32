"""What a corpus is before it is stored: a name, a stream of documents, and a count of what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

LONGEST = 1_000_000
"""The longest document, in characters; a longer one is read in parts."""

_SHOWN = 3


@dataclass(frozen=True)
class Document:
    """One document; windows never cross from one into another."""

    name: str
    text: str


@dataclass
class Skips:
    """Counts of what could not be read, by kind; a kind is a phrase for one and a phrase for many."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, one: str, many: str, n: int = 1, *, example: str = "") -> None:
        """Count ``n`` more of a kind: ``add("empty document was left out", "empty documents were …")``.

        Up to three examples of a kind are shown with its count.
        """
        if n:
            self.counts[one, many] += n
        if example:
            self.examples.setdefault((one, many), []).append(example)

    def say(self) -> tuple[str, ...]:
        """One phrase for each kind: ``3 empty documents were left out``."""
        return tuple(
            f"{n:,} {kind[0] if n == 1 else kind[1]}{self._examples(kind)}"
            for kind, n in sorted(self.counts.items())
        )

    def _examples(self, kind: tuple[str, str]) -> str:
        given = self.examples.get(kind, [])
        more = "; …" if len(given) > _SHOWN else ""
        return f" ({'; '.join(given[:_SHOWN])}{more})" if given else ""


@dataclass(frozen=True)
class CorpusSource:
    """A corpus that can be read."""

    name: str
    """The name as results record it."""
    documents: Callable[[Skips], Iterator[Document]]
    """A stream from the beginning; what it leaves out is counted in its argument."""
    key: str | None
    """A key that changes when the content does; None where only reading everything would show it (stdin, the
    hub)."""
    attribution: str = ""
    has_fields: bool = False
    """Whether its records have fields."""


def cut_parts(document: Document) -> Iterator[Document]:
    """A document in parts of at most :data:`LONGEST` characters, cut at white space where there is any."""
    text = document.text
    if len(text) <= LONGEST:
        yield document
        return
    start, number = 0, 1
    while start < len(text):
        stop = min(start + LONGEST, len(text))
        if stop < len(text):
            stop = start + cut_at(text[start:stop])
        yield Document(f"{document.name} part {number}", text[start:stop])
        start, number = stop, number + 1


def cut_at(text: str) -> int:
    """The latest place to cut a text: after a blank line, after a line, before a space, or else at its
    end."""
    half = len(text) // 2
    for mark, after in (("\n\n", 2), ("\n", 1), (" ", 0)):
        found = text.rfind(mark, half)
        if found > 0:
            return found + after
    return len(text)
