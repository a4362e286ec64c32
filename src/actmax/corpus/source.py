"""What a corpus is before it is stored: a name, a stream of documents, and a count of what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

LONGEST = 1_000_000
"""Characters of a document; a longer one is read in parts."""

_SHOWN = 3


@dataclass(frozen=True)
class Document:
    """One text; windows never cross from one into another."""

    name: str
    text: str


@dataclass
class Skips:
    """What could not be read, counted by kind. Kinds are phrases for one and for many."""

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
    """As results record it."""
    documents: Callable[[Skips], Iterator[Document]]
    """A stream from the beginning; what it leaves out is counted in its argument."""
    key: str | None
    """Changes when the content does; None where only reading it all would tell (stdin, the hub)."""
    attribution: str = ""
    has_fields: bool = False
    """Whether the field that is asked for can be found in it."""


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
    """Where to cut a text as late as may be: after a blank line, a line, before a space; else at its end."""
    half = len(text) // 2
    for mark, after in (("\n\n", 2), ("\n", 1), (" ", 0)):
        found = text.rfind(mark, half)
        if found > 0:
            return found + after
    return len(text)
