"""A search's checkpoint: every answer that its scorer gave, appended to one file.

A method is deterministic in its seed and in what the scorer answers, so a search that was killed goes on by
starting again and being answered from the journal until it ends; from there the model answers.

1. The file begins with a record that says whose search it is (model, objective, settings, seed).
2. Each answer is one record, written with one call: a magic word, two lengths, a JSON header, the raw bytes
   of its arrays, and a checksum over all of it. Nothing is pickled.
3. A record that was cut short (the process was killed while writing) is recognised by its checksum and
   dropped with everything after it.
4. A record names a digest of its question. Another question than the recorded one means another search:
   refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import torch
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.files import refusal
from actmax.search.meter import Spent

NAME = "search.journal"
"""The file in the output directory."""
_REMEDY = "give --out another folder"
SCHEMA = "actmax.journal/2"

_MAGIC = b"AMJ1"
_LENGTHS = struct.Struct("<IQ")
_CHECK = 16


class _Header(TypedDict):
    """What a record says of one answer."""

    question: str
    cost: dict[str, float]
    cut: bool


class Journal:
    """Answers on disk: first those that are there are read back, then new ones are appended."""

    def __init__(self, path: Path, identity: Mapping[str, object]) -> None:
        """Open or begin a journal.

        Raises:
            ActmaxError: the file is another search's, or cannot be written to.
        """
        self._path = path
        self._where = 0
        self._ahead: tuple[Mapping[str, object], dict[str, Tensor], int] | None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ActmaxError(refusal(error, path, _REMEDY, doing="Opening the journal")) from error
        self._records = _read(path)
        first = next(self._records, None)
        mine = json.loads(json.dumps({"schema": SCHEMA, **identity}))
        if first is None:
            os.ftruncate(self._file, 0)
            self._append(mine, {})
            self._ahead = None
        else:
            self._where = first[2]
            _check(first[0], mine, path)
            self._look_ahead()

    @property
    def replaying(self) -> bool:
        """Whether the next answer comes from the file."""
        return self._ahead is not None

    def _look_ahead(self) -> None:
        self._ahead = next(self._records, None)
        if self._ahead is None:
            os.ftruncate(self._file, self._where)

    def next(self, question: str) -> tuple[Mapping[str, Tensor], Spent, bool] | None:
        """The recorded answer to a question, the cost up to it, whether the budget cut it; None at the end.

        Raises:
            ActmaxError: the recorded question is another.
        """
        if self._ahead is None:
            return None
        found, arrays, self._where = self._ahead
        header = cast(_Header, found)
        if header["question"] != question:
            folder = str(self._path.parent)
            raise ActmaxError(
                f"The journal in {folder!r} was written by a search that went another way (another version "
                "of actmax or of its libraries); start again with another --out."
            )
        self._look_ahead()
        return arrays, _spent(header["cost"]), header["cut"]

    def add(self, question: str, answer: Mapping[str, Tensor], cost: Spent, *, cut: bool = False) -> None:
        """Append an answer."""
        self._append({"question": question, "cost": dataclasses.asdict(cost), "cut": cut}, answer)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _append(self, header: Mapping[str, object], arrays: Mapping[str, Tensor]) -> None:
        plain = {name: _plain(value).numpy() for name, value in arrays.items()}
        shapes = {name: [str(value.dtype), list(value.shape)] for name, value in plain.items()}
        head = json.dumps({**header, "arrays": shapes}).encode()
        body = b"".join(value.tobytes() for value in plain.values())
        record = _MAGIC + _LENGTHS.pack(len(head), len(body)) + head + body
        record += hashlib.sha256(record).digest()[:_CHECK]
        try:
            os.lseek(self._file, self._where, os.SEEK_SET)
            written = os.write(self._file, record)
        except OSError as error:
            raise ActmaxError(refusal(error, self._path, _REMEDY, doing="Writing the journal")) from error
        if written < len(record):
            raise ActmaxError(f"No space is left for the journal {str(self._path)!r}; free some and resume.")
        self._where += len(record)


def _spent(cost: Mapping[str, float]) -> Spent:
    forward, backward, scored = (
        int(cost[name]) for name in ("forward_tokens", "backward_tokens", "sequences_scored")
    )
    return Spent(forward, backward, scored, cost["seconds"])


def question_of(kind: str, *parts: Tensor | float | int | str | None) -> str:
    """A digest of a call: its name, numbers and tensors."""
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        if isinstance(part, Tensor):
            plain = _plain(part)
            digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
            digest.update(plain.numpy().tobytes())
        else:
            digest.update(repr(part).encode())
    return f"{kind}:{digest.hexdigest()[:24]}"


def _plain(value: Tensor) -> Tensor:
    """On the CPU; bfloat16, which numpy lacks, as float32."""
    value = value.detach().cpu().contiguous()
    return value.float() if value.dtype == torch.bfloat16 else value


def _read(path: Path) -> Iterator[tuple[Mapping[str, object], dict[str, Tensor], int]]:
    """Whole records from the beginning, each with the place in the file where it ends."""
    end = 0
    with path.open("rb") as file:
        while True:
            start = file.read(len(_MAGIC) + _LENGTHS.size)
            if len(start) < len(_MAGIC) + _LENGTHS.size or not start.startswith(_MAGIC):
                return
            n_head, n_body = _LENGTHS.unpack(start[len(_MAGIC) :])
            if n_head + n_body > path.stat().st_size - end:
                return
            content = file.read(n_head + n_body)
            check = file.read(_CHECK)
            if hashlib.sha256(start + content).digest()[:_CHECK] != check:
                return
            end += len(start) + len(content) + len(check)
            header = json.loads(content[:n_head])
            shapes = {name: (kind, shape) for name, (kind, shape) in header.pop("arrays").items()}
            yield header, _arrays(shapes, content[n_head:]), end


def _arrays(shapes: Mapping[str, tuple[str, list[int]]], body: bytes) -> dict[str, Tensor]:
    arrays: dict[str, Tensor] = {}
    at = 0
    for name, (kind, shape) in shapes.items():
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        value = np.frombuffer(body, dtype, count, at).reshape(shape).copy()
        arrays[name] = torch.from_numpy(value)
        at += value.nbytes
    return arrays


def _check(found: Mapping[str, object], mine: Mapping[str, object], path: Path) -> None:
    if found.get("schema") != SCHEMA:
        raise ActmaxError(
            f"The search in {str(path.parent)!r} was begun by another version of actmax, which this one "
            "cannot resume; start again with another --out."
        )
    for name in mine:
        if found.get(name) != mine[name]:
            raise ActmaxError(
                f"The journal in {str(path.parent)!r} was written with {name.replace('_', ' ')} "
                f"{found.get(name)!r} and not {mine[name]!r}; resume with the same, or give another --out."
            )
