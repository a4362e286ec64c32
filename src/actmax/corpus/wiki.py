"""Articles of a MediaWiki XML export as plain text.

1. The XML is read as a stream by expat. A document type declaration is refused, so no entity is ever
   declared or expanded.
2. Redirects, disambiguation pages, lists and pages outside the article namespace are left out.
3. Markup goes from the inside out: comments and references, templates and tables, links, external links,
   tags, quotes; then lines: headings keep their words, items of lists stay where they are sentences, and
   the closing sections that hold no prose (references, external links and the like) are dropped.
4. Articles of fewer than :data:`SHORTEST` words after that are left out.

This is a cleaner, not a parser: one pinned file is read with it, and only its prose is wanted. Where
markup is broken, stray marks are removed.
"""

from __future__ import annotations

import bz2
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from actmax.errors import ActmaxError

SHORTEST = 200
"""The least number of words of an article."""

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Article:
    """One article, cleaned."""

    title: str
    text: str


def read_articles(path: Path) -> Iterator[Article]:
    """The articles of a bz2-compressed export, in its order; those left without text are left out.

    Raises:
        ActmaxError: the file is damaged, or declares a document type.
    """
    pages = _Pages()
    try:
        with bz2.open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                pages.parser.Parse(chunk, False)
                yield from _clean(pages.take())
            pages.parser.Parse(b"", True)
            yield from _clean(pages.take())
    except (expat.ExpatError, EOFError, OSError) as error:
        raise ActmaxError(f"{path.name!r} is damaged ({error}); fetch or copy it again.") from error


def _clean(pages: list[tuple[str, str]]) -> Iterator[Article]:
    for title, markup in pages:
        text = plain_text(markup)
        if len(text.split()) >= SHORTEST:
            yield Article(title, text)


class _Pages:
    """Title and markup of each article page, collected while expat calls."""

    _wanted = frozenset({"title", "ns", "text"})

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self._done: list[tuple[str, str]] = []
        self._fields: dict[str, list[str]] = {}
        self._redirect = False
        self._inside: str | None = None

    def take(self) -> list[tuple[str, str]]:
        """The pages found since the last call."""
        done, self._done = self._done, []
        return done

    def _refuse(self, *_: object) -> None:
        raise ActmaxError(
            "The XML export declares a document type, which no export needs; use an export without one."
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "page":
            self._fields, self._redirect = {}, False
        elif name == "redirect":
            self._redirect = True
        elif name in self._wanted:
            self._inside = name
            self._fields[name] = []

    def _characters(self, text: str) -> None:
        if self._inside is not None:
            self._fields[self._inside].append(text)

    def _end(self, name: str) -> None:
        if name == self._inside:
            self._inside = None
        if name != "page" or self._redirect:
            return
        title, space, text = ("".join(self._fields.get(key, [])) for key in ("title", "ns", "text"))
        pointer = text.lstrip().lower().startswith("#redirect") or _DISAMBIGUATION.search(text)
        if space.strip() == "0" and not pointer and not title.startswith("List of "):
            self._done.append((title, text))


_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_DROPPED = "ref|math|gallery|timeline|imagemap|score|syntaxhighlight|source|hiero|chem|table|references"
_EMPTY_TAG = re.compile(rf"<(?:{_DROPPED})\b[^<>]*/>", re.I)
_DROPPED_TAG = re.compile(rf"<({_DROPPED})\b[^<>]*>.*?</\1\s*>", re.I | re.S)
_BREAK = re.compile(r"<(?:br|p|hr)\b[^<>]*>", re.I)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_TEMPLATE = re.compile(r"\{\{((?:[^{}]|\{(?!\{)|\}(?!\}))*)\}\}")
_TABLE = re.compile(r"\{\|(?:(?!\{\||\|\}).)*\|\}", re.S)
_LINK = re.compile(r"\[\[([^\[\]]*)\]\]")
_NAMESPACE = re.compile(r"\s*(?:file|image|category|media|wikt|wiktionary|s|q|commons|[a-z]{2,3}):", re.I)
_EXTERNAL = re.compile(r"\[(?:https?:|ftp:|mailto:)?//[^\s\]]*\s*([^\]]*)\]")
_QUOTES = re.compile(r"'{2,}")
_HEADING = re.compile(r"(={1,6})\s*(.*?)\s*\1\s*")
_DISAMBIGUATION = re.compile(r"\{\{\s*(?:disambig|hndis|geodis|[\w ]*disambiguation\s*[|}])", re.I)
_MAGIC = re.compile(r"__[A-Z]+__")
_LIST = re.compile(r"[*#:;]+\s*")
_HOLLOW = re.compile(r"\(\s*[,;:\s]*\s*\)")
_OPENING = re.compile(r"\(\s*[,;:]\s*")
_SPACES = re.compile(r"[ \t\u00a0]+")
_BEFORE_STOP = re.compile(r" +([,.;:)])")
_CLOSING = frozenset(
    [
        *("references", "external links", "see also", "further reading", "notes", "bibliography", "sources"),
        *("footnotes", "notes and references", "citations", "works cited", "gallery"),
        *("references and notes", "general references", "publications", "discography"),
    ]
)
_DEEPEST = 40


def plain_text(markup: str) -> str:
    """Wiki markup as prose: paragraphs with blank lines between them.

    Each heading has a line of its own. Tables, templates (but for those that only format their words),
    references, formulas, images and the closing sections are gone.
    """
    text = _COMMENT.sub("", markup)
    text = _EMPTY_TAG.sub("", text)
    text = _DROPPED_TAG.sub("", text)
    text = _until_stable(_TEMPLATE, lambda found: _template(found[1]), text)
    text = _until_stable(_TABLE, lambda found: "", text)
    text = _until_stable(_LINK, lambda found: _link(found[1]), text)
    text = _EXTERNAL.sub(r"\1", text)
    text = _TAG.sub("", _BREAK.sub("\n", text))
    text = _MAGIC.sub("", _QUOTES.sub("", html.unescape(text)))
    return "\n\n".join(_paragraphs(text))


def _until_stable(pattern: re.Pattern[str], put: object, text: str) -> str:
    for _ in range(_DEEPEST):
        text, changed = pattern.subn(put, text)  # type: ignore[call-overload]  # a function of the match
        if not changed:
            break
    return text


def _template(inside: str) -> str:
    """What remains of a template: its words if it only formats them, and nothing otherwise."""
    name, *given = (part.strip() for part in inside.split("|"))
    words = [part for part in given if "=" not in part]
    name = name.lower()
    if name in ("convert", "cvt") and len(words) >= 2:
        return f"{words[0]} {words[1]}"
    if name in ("lang", "transl", "langx") and len(words) >= 2:
        return words[-1]
    if (name.startswith("lang-") or name in ("nowrap", "small", "nobr", "abbr", "quote", "em")) and words:
        return words[0]
    return " – " if name in ("spaced ndash", "snd", "ndash", "–") else ""


def _link(inside: str) -> str:
    target, _, label = inside.partition("|")
    if _NAMESPACE.match(target):
        return ""
    return label.rsplit("|", 1)[-1] if label else target


def _paragraphs(text: str) -> Iterator[str]:
    skipping = 0
    held: str | None = None  # a heading waits for words of its section
    for line in text.split("\n"):
        line = _SPACES.sub(" ", line).strip()
        heading = _HEADING.fullmatch(line)
        if heading:
            depth = len(heading[1])
            if skipping and depth > skipping:
                continue
            skipping = depth if heading[2].lower() in _CLOSING else 0
            held = None if skipping else heading[2]
            continue
        if skipping:
            continue
        item = _LIST.match(line)
        line = _tidy(line[item.end() :] if item else line)
        if item and not line.endswith("."):
            continue
        if not any(letter.isalnum() for letter in line):
            continue
        if held:
            yield held
            held = None
        yield line


def _tidy(line: str) -> str:
    """Tidy up after removed markup: empty brackets, double spaces, stray marks."""
    line = re.sub(r"\{\{|\}\}|\{\||\|\}|\[\[|\]\]", "", line)
    line = _OPENING.sub("(", _HOLLOW.sub("", line))
    line = _BEFORE_STOP.sub(r"\1", _SPACES.sub(" ", line))
    return "" if line.startswith(("|", "!")) else line.strip()
