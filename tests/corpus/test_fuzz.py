"""Mutated files: what is read equals what an independent reading gives, or one sentence refuses the file.

Every case begins with a small corpus or group in a random format, is changed once (bytes flipped or removed,
cut off, encoded anew, other separators, another ending, packed) and is read as a corpus and as a group. The
independent readings use Python's own decoders on the whole file. ``ACTMAX_FUZZ=N`` runs N cases.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.corpus.text_files import packed_bytes

from actmax.corpus.corpus import source_of
from actmax.corpus.formats import ENDINGS, kind_of
from actmax.corpus.source import Skips
from actmax.errors import ActmaxError
from actmax.selectivity.files import read_rows

CASES = int(os.environ.get("ACTMAX_FUZZ", "4000"))
PARTS = 8
WORDS = (
    *(
        "the cat",
        "sat, on",
        "a mat;",
        "naïve",
        "東京",
        "😀",
        "“so”",
        "tab\there",
        "bar | bar",
        'quo"te',
        "end.",
    ),
    *("line\nbreak", "form\x0cfeed", "next\x85line", "sep\u2028sep", "nul\\0", "#1", "{}", "[x]", "ünd ob"),
)
ENCODINGS = ("utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252", "cp1251", "gbk", "shift-jis", "utf-8-sig")


@dataclass(frozen=True)
class Case:
    """A file, and the texts that it may be read as; None where it has to be refused."""

    name: str
    data: bytes
    what: str
    corpus: list[str] | None
    group: list[str] | None


def is_text(ending: str) -> bool:
    kind = kind_of(f"a{ending}")
    return kind is not None and not kind.format.has_fields


def drawn_texts(draw: random.Random, ending: str) -> list[str]:
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 6))) for _ in range(draw.randint(1, 6))]
    # A line of text cannot hold the end of one, and is read without the white space at its ends.
    return [text.replace("\n", " ") for text in texts] if is_text(ending) else texts


def written(texts: list[str], ending: str, draw: random.Random) -> bytes:
    rows = [{"id": number, "text": text, "label": "ab"[number % 2]} for number, text in enumerate(texts)]
    if ending in (".jsonl", ".ndjson", ".jsonlines"):
        ascii_only = draw.random() < 0.5
        return "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows).encode()
    if ending == ".json":
        return json.dumps(rows, ensure_ascii=draw.random() < 0.5, indent=draw.choice([None, 1])).encode()
    if ending in (".csv", ".tsv"):
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), delimiter=draw.choice(",;\t|"))
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode()
    if ending == ".parquet":
        sink = io.BytesIO()
        codec = draw.choice(["none", "snappy", "zstd"])
        parquet.write_table(pa.Table.from_pylist(rows), sink, write_page_checksum=True, compression=codec)
        return sink.getvalue()
    return "\n".join(texts).encode()


def decoded_text(data: bytes) -> str | None:
    """The text of bytes by Python's decoder; None where they are not UTF-8 or hold NUL."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.replace("\r\n", "\n").replace("\r", "\n")


def of_json_lines(text: str) -> tuple[list[str], bool]:
    """The texts of the lines that have one, and whether all have."""
    found, whole = [], True
    for line in text.split("\n"):
        if not line.strip(" \t"):
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            whole = False
            continue
        one = row if isinstance(row, str) else row.get("text") if isinstance(row, dict) else None
        whole &= isinstance(one, str)
        found += [one] if isinstance(one, str) else []
    return found, whole


def of_json(text: str) -> list[object] | None:
    """The items of an array, or the values that stand one after another; None where it is not JSON."""
    values: list[object] = []
    while text := text.strip(" \t\n\r"):
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return None
        values += value if isinstance(value, list) else [value]
        text = text[end:]
    return values


def of_table(text: str) -> list[str] | None:
    """The column ``text`` under the first separator that shows one."""
    head = next((line for line in text.split("\n") if line.strip()), "")
    for separator in ",;\t|":
        if "text" in [cell.strip() for cell in next(csv.reader([head], delimiter=separator), [])]:
            rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
            rows = [row for row in rows if "".join(row).strip(" \t") or len(row) > 1 or row == rows[0]]
            column = [cell.strip() for cell in rows[0]].index("text")
            return [row[column] for row in rows[1:] if len(row) > column]
    return None


def independent(data: bytes, ending: str) -> tuple[list[str] | None, list[str] | None]:
    """What a corpus and a group may be read as."""
    text = decoded_text(data)
    if text is None:
        return None, None
    if ending in (".jsonl", ".ndjson", ".jsonlines"):
        found, whole = of_json_lines(text)
        return found, found if whole else None  # (where most lines are not JSON, it may be refused)
    if ending == ".json":
        values = of_json(text)
        if values is None:
            return None, None
        texts = [one.get("text") if isinstance(one, dict) else one for one in values]
        kept = [one for one in texts if isinstance(one, str)]
        return kept, kept if len(kept) == len(texts) else None
    if ending in (".csv", ".tsv"):
        try:
            found_or_not = of_table(text)
        except csv.Error:
            return None, None
        if found_or_not is None and not text.strip():
            found_or_not = []
        return found_or_not, found_or_not
    return [text], [line.strip() for line in text.split("\n") if line.strip()]


def changed(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Bytes with one change, and what it is."""
    at = draw.randrange(len(data) + 1)
    kind = draw.choice(["nothing", "flip", "cut", "remove", "double", "insert", "encode", "ends", "swap"])
    if kind == "flip" and data:
        at = draw.randrange(len(data))
        data = data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
    elif kind == "cut":
        data = data[:at]
    elif kind == "remove":
        data = data[:at] + data[at + draw.randint(1, 9) :]
    elif kind == "double":
        data = data[:at] + data[max(at - draw.randint(1, 40), 0) :]
    elif kind == "insert":
        new = draw.choice(
            [b"\0", b"\xff", b"\xe9", b'"', b"\n", b"\r", b",", b"[", b"}", b"\\", b"\xef\xbb\xbf"]
        )
        data = data[:at] + new + data[at:]
    elif kind == "encode":
        encoding = draw.choice(ENCODINGS)
        kind = f"encode {encoding}"
        data = data.decode("utf-8", "replace").encode(encoding, "ignore")
    elif kind == "ends":
        data = data.replace(b"\n", draw.choice([b"\r\n", b"\r"]))
    elif kind == "swap":
        one, other = draw.sample([b",", b";", b"\t", b"|", b'"', b"'", b"{", b":"], 2)
        data = data.replace(one, other)
    return data, kind


def drawn_case(draw: random.Random) -> Case:
    ending = draw.choice(ENDINGS)
    texts = drawn_texts(draw, ending)
    data = written(texts, ending, draw)
    packing = draw.choice(["", "", "", ".gz", ".bz2", ".xz", ".zst"])
    if ending == ".parquet" or (packing not in ("", ".zst") and draw.random() < 0.3):
        # The bytes on the disk are damaged, and checksums in them tell: only what was written may be read.
        whole = packed_bytes(data, packing)
        data, what = changed(whole, draw)
        if packing and not data:  # an empty file, whatever it was packed by
            return Case(f"a{ending}{packing}", data, what, [], [])
        corpus, group = (["\n".join(texts)], texts) if is_text(ending) else (texts, texts)
        return Case(f"a{ending}{packing}", data, f"packed, then {what}", corpus, group)
    data, what = changed(data, draw)
    if draw.random() < 0.1:
        ending = draw.choice([one for one in ENDINGS if one != ".parquet"])
        what += f", named {ending}"
    may_be, may_be_group = independent(data, ending)
    name = f"a{draw.choice([ending, ending.upper()])}{packing}"
    return Case(name, packed_bytes(data, packing), what, may_be, may_be_group)


def outcome(read: Callable[[], list[str]]) -> list[str] | None:
    """What is read; None where it is refused in one sentence."""
    try:
        return read()
    except ActmaxError as error:
        said = str(error)
        assert said.endswith("."), said
        assert re.search(r"[\0-\x1f]", said) is None, said
        assert len(said) < 600, said
        return None


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_files(tmp_path: Path, part: int) -> None:
    read_well = 0
    for number in range(part, CASES, PARTS):
        draw = random.Random(number)
        case = drawn_case(draw)
        path = tmp_path / case.name
        path.write_bytes(case.data)
        skips = Skips()

        def corpus(path: Path = path, skips: Skips = skips) -> list[str]:
            source = source_of(str(path), field="text", bounded=True)
            return [document.text for document in source.documents(skips)]

        texts = outcome(corpus)
        rows = outcome(lambda path=path: [row.text for row in read_rows(path)])  # type: ignore[misc]
        told = f"case {number}: {case.name}, {case.what}: {case.data[:2000]!r}"
        if texts is not None and not (case.corpus is None and skips.say()):
            assert [text for text in texts if text] == [text for text in case.corpus or () if text], told
        if rows is not None:
            assert rows == case.group, told
        read_well += texts is not None
        path.unlink()
    assert read_well > 0.4 * (CASES // PARTS)
