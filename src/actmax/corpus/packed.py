"""Many strings in one array of bytes, with random access: a corpus of any length in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped, UInt8

_REMEMBERED = 1 << 24
"""The number of characters of decoded strings that are held in memory."""


class Packed(Sequence[str]):
    """A read-only sequence of strings over ``data`` (UTF-8, one after another) cut at ``bounds``."""

    def __init__(self, data: UInt8[np.ndarray, " bytes"], bounds: Int[np.ndarray, " n_plus_1"]) -> None:
        self.data, self.bounds = data, bounds
        self._recent: OrderedDict[int, str] = OrderedDict()
        self._held = 0

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, index: int) -> str:  # type: ignore[override]  # slices are not needed
        if index in self._recent:
            self._recent.move_to_end(index)
            return self._recent[index]
        start, stop = int(self.bounds[index]), int(self.bounds[index + 1])
        text = self.data[start:stop].tobytes().decode("utf-8")
        self._recent[index] = text
        self._held += len(text)
        while self._held > _REMEMBERED and len(self._recent) > 1:
            self._held -= len(self._recent.popitem(last=False)[1])
        return text


def pack(strings: Sequence[str]) -> Packed:
    """Strings in memory."""
    encoded = [string.encode("utf-8") for string in strings]
    bounds = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return Packed(np.frombuffer(b"".join(encoded), dtype=np.uint8), bounds)


def open_packed(data: Path, bounds: Path) -> Packed:
    """Strings on disk, mapped into memory (an empty file cannot be mapped and is an empty array)."""
    return Packed(open_array(data, np.dtype(np.uint8)), open_array(bounds, np.dtype("<i8")))


def open_array(path: Path, dtype: np.dtype[Any]) -> Shaped[np.ndarray, " n"]:
    """A flat file of numbers, mapped into memory for reading."""
    if path.stat().st_size == 0:
        return np.empty(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")
