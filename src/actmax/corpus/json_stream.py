"""The values of a JSON file one after another, without holding the file in memory.

1. The file is an array, whose items are the values; or one value or several of them separated by white space
   (many files named ``.json`` hold a JSON object per line).
2. A value is decoded where it stands in a buffer. If that fails, or the value ends where the buffer does, the
   buffer is doubled and the value is decoded again, so the work stays proportional to the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from actmax.errors import ActmaxError

LONGEST_VALUE = 1 << 28
"""The longest value, in characters."""

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def json_values(pieces: Iterator[str], name: str) -> Iterator[tuple[object, bool]]:
    """The values of a file, and for each whether it stands by itself, not in an array.

    Args:
        pieces: the text of the file.
        name: as errors call the file.

    Raises:
        ActmaxError: the text is not JSON.
    """
    window = _Window(pieces, name)
    while (start := window.peek()) != "":
        if start != "[":
            yield window.value(), True
            continue
        window.at += 1
        if window.peek() == "]":
            window.at += 1
            continue
        while True:
            yield window.value(), False
            mark = window.peek()
            window.at += 1
            if mark == "]":
                break
            if mark != ",":
                raise window.refusal("a comma or a bracket is missing")


class _Window:
    """The part of the text that is being decoded."""

    def __init__(self, pieces: Iterator[str], name: str) -> None:
        self.pieces, self.name = pieces, name
        self.buffer, self.at = "", 0
        self.before = 0
        """The number of characters before the buffer."""

    def peek(self) -> str:
        """The next character that is not white space, where ``at`` then stands; empty at the end."""
        while True:
            self.at = _SPACE.match(self.buffer, self.at).end()  # type: ignore[union-attr]  # matches always
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self._more(1):
                return ""

    def value(self) -> object:
        """The value that begins at the next character."""
        self.peek()
        ended = False
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.at)
            except RecursionError as error:
                raise self.refusal("it is nested too deeply") from error
            except ValueError as error:
                held = len(self.buffer) - self.at
                if ended or held > LONGEST_VALUE:
                    reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
                    raise self.refusal(reason) from error
            else:
                if end < len(self.buffer) or ended:
                    self.at = end
                    return value
            ended = not self._more(len(self.buffer) - self.at)

    def refusal(self, reason: str) -> ActmaxError:
        """The error for text that is not JSON at this place."""
        place = self.before + self.at
        return ActmaxError(
            f"{self.name!r} is not JSON from character {place:,} on ({reason}); write it again, or give one"
            " object per line in a .jsonl file."
        )

    def _more(self, least: int) -> bool:
        """Read at least ``least`` more characters; False at the end of the text."""
        parts, size = [self.buffer[self.at :]], 0
        for piece in self.pieces:
            parts.append(piece)
            size += len(piece)
            if size >= least:
                break
        self.before += self.at
        self.buffer, self.at = "".join(parts), 0
        return size > 0
