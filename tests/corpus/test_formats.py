"""The table of what is read: every format, compression and encoding, in corpora and in groups."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import re
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.corpus.text_files import TEXTS, bytes_of_texts, packed_bytes, write_texts

from actmax.corpus import decode
from actmax.corpus.corpus import source_of
from actmax.corpus.formats import COMPRESSIONS, ENDINGS, FORMATS, kind_of
from actmax.corpus.source import Document, Skips
from actmax.errors import ActmaxError
from actmax.selectivity.files import read_rows

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
PACKINGS = ["", *(one.ending for one in COMPRESSIONS)]
GERMAN = "Im Frühjahr über die Brücke: größere Vögel, ein Kätzchen und ein Löwe. "
RUSSIAN = "Весной через мост летят большие птицы, и кошка смотрит на них. "
JAPANESE = "春には橋の上を大きな鳥が飛び、猫がそれを見ている。川は静かに流れる。"
CHINESE = "春天大鸟飞过桥上,猫看着它们。河水静静地流着,天空很蓝。"


def documents(path: Path | str, field: str = "text", skips: Skips | None = None) -> list[Document]:
    source = source_of(str(path), field=field, bounded=True)
    return list(source.documents(skips if skips is not None else Skips()))


def read(path: Path | str, field: str = "text", skips: Skips | None = None) -> list[str]:
    return [document.text for document in documents(path, field, skips)]


def sentence(what: Callable[[], Any]) -> str:
    with pytest.raises(ActmaxError) as error:
        what()
    said = str(error.value)
    assert said.endswith(".")
    assert "\n" not in said
    return said


def table(head: str) -> list[list[str]]:
    """The rows of a table of the page."""
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    start = next(k for k, line in enumerate(lines) if line.startswith(f"| {head} |"))
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_the_page_is_the_table() -> None:
    assert table("format") == [
        [one.name, " ".join(f"`{ending}`" for ending in one.endings), one.document, one.sample]
        for one in FORMATS
    ]
    assert table("compression") == [[one.name, f"`{one.ending}`"] for one in COMPRESSIONS]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_text_as_it_is_written(tmp_path: Path, ending: str, packing: str) -> None:
    for number, name in enumerate((f"a{ending}{packing}", f"A{ending.upper()}{packing.upper()}")):
        path = write_texts(tmp_path / f"{number}-{name}")
        lines = kind_of(name).format.name == "text"  # type: ignore[union-attr]
        assert read(path) == (["\n".join(TEXTS)] if lines else list(TEXTS))
        assert [row.text for row in read_rows(path)] == list(TEXTS)


@pytest.mark.parametrize("ending", [ending for ending in ENDINGS if kind_of(ending[1:] + ending)])
def test_a_field_is_honoured_or_refused_by_what_is_there(tmp_path: Path, ending: str) -> None:
    path = write_texts(tmp_path / f"a{ending}", field="body")
    if kind_of(path.name).format.has_fields:  # type: ignore[union-attr]
        assert read(path, "body") == list(TEXTS)
        assert "in a field 'text' (it has id, body)" in sentence(lambda: read(path))


ENCODINGS: dict[str, list[bytes]] = {
    "UTF-8": [(GERMAN * 3).encode(), (JAPANESE * 3).encode(), b"plain"],
    "UTF-8 with a byte order mark": [GERMAN.encode("utf-8-sig")],
    "UTF-8 with a few damaged bytes": [(GERMAN * 9).encode() + b"\xff and on", (RUSSIAN * 9).encode()[:-3]],
    "UTF-16, with a mark or without": [
        text.encode(name) for text in (GERMAN, "ab") for name in ("utf-16", "utf-16-le", "utf-16-be")
    ],
    "UTF-32, with a mark or without": [
        text.encode(name) for text in (GERMAN, "a") for name in ("utf-32", "utf-32-le", "utf-32-be")
    ],
    "Latin-1, Windows-1252": [GERMAN.encode("latin-1"), "it’s “naïve”".encode("cp1252"), b"caf\xe9"],
    "Windows-1251, KOI8-R": [RUSSIAN.encode("cp1251"), RUSSIAN.encode("koi8-r")],
    "GBK, Shift-JIS": [(CHINESE * 5).encode("gbk"), (JAPANESE * 5).encode("shift-jis")],
    "binary files, NUL bytes": [bytes(range(256)), b"text " * 5000 + b"\0", b"\x01\x02\x03" * 50],
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings(tmp_path: Path, name: str) -> None:
    """The page says what happens, and both readers do it."""
    happens = dict(table("encoding"))
    assert list(happens) == list(ENCODINGS)
    for data, ending in itertools.product(ENCODINGS[name], (".txt", ".txt.gz")):
        path = tmp_path / f"a{ending}"
        path.write_bytes(packed_bytes(data, ending.removeprefix(".txt")))
        skips = Skips()
        if happens[name].startswith("read"):
            text = data.decode("utf-8-sig")
            assert "".join(read(path, skips=skips)) == text
            assert [row.text for row in read_rows(path)] == [text.strip()]
            assert skips.say() == ()
        elif "counted" in happens[name]:
            assert "".join(read(path, skips=skips)) == data.decode("utf-8", "replace")
            assert skips.say() == ("1 byte sequence was not UTF-8 and was replaced",)
            assert "is not UTF-8 text: the byte" in sentence(partial(read_rows, path))
        else:
            for reader in (partial(read, path), partial(read_rows, path)):
                said = sentence(reader)
                assert "is not UTF-8 text" in said
                assert ("at offset" in said) == ("place of the first byte" in happens[name])
                for family in ("UTF-16", "UTF-32"):
                    assert (f"but {family}" in said) == (family in name)


def test_the_offset_of_the_first_byte(tmp_path: Path) -> None:
    for before in (b"", b"\xef\xbb\xbf", b"a" * 8191, b"line\r\n" * 3000, b"a" * ((1 << 20) + (1 << 13) - 1)):
        (tmp_path / "a.txt").write_bytes(before + b"caf\xe9 au lait")
        said = sentence(lambda: read(tmp_path / "a.txt"))
        assert f"the byte 0xE9 at offset {len(before) + 3:,} does not belong there" in said
        assert "iconv -f LATIN1 -t UTF-8" in said


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("ending", [".txt", ".jsonl", ".json", ".csv"])
def test_ends_of_lines_are_those_of_the_system(tmp_path: Path, ending: str, end: str) -> None:
    texts = [*TEXTS, *(f"Paragraph {k}.\n" * 400 for k in range(20))] if ending == ".csv" else TEXTS
    data = bytes_of_texts(texts, ending).replace(b"\r\n", b"\n")
    if ending == ".txt":
        data = "\n".join(f"Paragraph {k}. " + "the heron stood.\n" * 60 for k in range(60)).encode()
    for name, content in (("lf", data), ("other", data.replace(b"\n", end.encode()))):
        (tmp_path / f"{name}{ending}").write_bytes(content)
    one, other = read(tmp_path / f"lf{ending}"), read(tmp_path / f"other{ending}")
    assert one == other
    assert len(one) > 2
    assert all(text.startswith("Paragraph") for text in one) or ending != ".txt"
    assert read_rows(tmp_path / f"lf{ending}") == read_rows(tmp_path / f"other{ending}")


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("ending", [".txt", ".jsonl", ".json", ".csv", ".tsv", ".parquet"])
def test_nothing_else_ends_a_line(tmp_path: Path, ending: str, mark: str) -> None:
    texts = [f"the heron{mark}stands", "plain"]
    path = write_texts(tmp_path / f"a{ending}", texts)
    assert read(path) == (["\n".join(texts)] if ending == ".txt" else texts)
    assert [row.text for row in read_rows(path)] == texts


def parquet_file(path: Path, column: Any) -> Path:
    parquet.write_table(pa.table({"text": column, "n": pa.array(range(len(column)))}), path)
    return path


STRINGS = [*TEXTS, None, ""]
COLUMNS: dict[str, list[Any]] = {
    "string": [pa.array(STRINGS, pa.string())],
    "large_string": [pa.array(STRINGS, pa.large_string())],
    "string_view": [pa.array(STRINGS, pa.string_view())],
    "dictionary of strings": [
        pa.array(STRINGS, kind).dictionary_encode() for kind in (pa.string(), pa.large_string())
    ],
    "binary, large_binary, binary_view": [
        pa.array([None if text is None else text.encode() for text in STRINGS], kind)
        for kind in (pa.binary(), pa.large_binary(), pa.binary_view())
    ],
    "struct with a string": [pa.array([{"body": text, "n": 1} for text in STRINGS])],
    "null": [pa.nulls(5)],
    "list of strings": [pa.array([[text] for text in STRINGS])],
    "numbers": [pa.array(range(5)), pa.array([0.5] * 5)],
}


@pytest.mark.parametrize("name", COLUMNS)
def test_parquet_columns(tmp_path: Path, name: str) -> None:
    happens = dict(table("type of a parquet column"))
    assert list(happens) == list(COLUMNS)
    for column in COLUMNS[name]:
        path = parquet_file(tmp_path / "a.parquet", column)
        skips = Skips()
        field = "text.body" if "--field" in happens[name] else "text"
        if happens[name].startswith("read"):
            assert read(path, field, skips) == [*TEXTS, ""]
            assert skips.say() == ("1 row without text was left out",)
        elif happens[name].startswith("counted"):
            assert read(path, field, skips) == []
            assert skips.say() == ("5 rows without text were left out",)
        else:
            said = sentence(partial(read, path))
            assert f"holds {'list<' if 'list' in name else column.type}" in said
            assert "n (int64)" in said
    bad = parquet_file(tmp_path / "b.parquet", pa.array([b"fine", b"caf\xe9"]))
    assert "those of row 2 are not UTF-8" in sentence(lambda: read(bad))


def test_many_rows_of_parquet_are_all_read(tmp_path: Path) -> None:
    texts = [f"row {number}" for number in range(1000)]
    out = io.BytesIO()
    parquet.write_table(pa.table({"text": texts}), out, row_group_size=130)
    (tmp_path / "a.parquet").write_bytes(out.getvalue())
    (tmp_path / "a.parquet.xz").write_bytes(packed_bytes(out.getvalue(), ".xz"))
    assert read(tmp_path / "a.parquet") == read(tmp_path / "a.parquet.xz") == texts


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('["a", "b"]', ["a", "b"]),
        ('[{"text": "a"}, {"text": "b", "x": [{"text": "c"}]}]', ["a", "b"]),
        ('{"text": "a"}', ["a"]),
        ('{"text": ["a", "b"]}', ["a", "b"]),
        ('{"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 2}}', ["a", "b"]),
        ('{"text": "a"}\n{"text": "b"}\n', ["a", "b"]),
        (' [ ]\n[{"text": "a"}] ', ["a"]),
        ('[{"text": "\\ud83d\\ude00 \\n"}]', ["😀 \n"]),
        ('[{"meta": {"body": "x"}, "text": "a"}, 3, null, {"text": null}]', ["a"]),
    ],
)
def test_shapes_of_json(tmp_path: Path, content: str, texts: list[str]) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    assert read(tmp_path / "a.json") == texts


@pytest.mark.parametrize(
    "content", ['[\n{"text": "a"},\n{"text": "b"}\n]\n', '[\n"a",\n"b"\n]', '{\n"text":\n"a"\n}']
)
def test_an_array_is_not_taken_for_lines(tmp_path: Path, content: str) -> None:
    """One line in it is JSON by itself."""
    (tmp_path / "a.jsonl").write_text(content)
    (tmp_path / "a.json").write_text(content)
    assert "name it .json if" in sentence(lambda: read(tmp_path / "a.jsonl"))
    assert read(tmp_path / "a.json")[0] == "a"


def test_nested_fields(tmp_path: Path) -> None:
    rows = [{"meta": {"body": "a"}}, {"meta.body": "b", "meta": {"body": "no"}}, {"meta": "x"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    skips = Skips()
    assert read(tmp_path / "a.jsonl", "meta.body", skips) == ["a", "b"]
    assert skips.say() == ("1 record without text in the field was left out",)


def test_a_long_array_is_read_item_by_item(tmp_path: Path) -> None:
    """Items of all lengths, so that every place of one meets the end of a piece."""
    texts = ['ä{[\\"' * (k % 97) + str(k) for k in range(30_000)]
    for indent in (None, 1):
        text = json.dumps([{"text": one} for one in texts], ensure_ascii=indent is None, indent=indent)
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        assert read(tmp_path / "a.json") == texts


@pytest.mark.parametrize(
    "content", ["[", '["a"', '["a",', '["a" "b"]', '["a",]', '{"text": "a"', "the cat", '{"text": "a\nb"}']
)
def test_what_is_not_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    assert "is not JSON from character" in sentence(lambda: read(tmp_path / "a.json"))


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('text,label\n"a, ""b""\nc",x\n', ['a, "b"\nc']),
        ("text;label\na, b;x\n", ["a, b"]),
        ("id\ttext\n1\ta, b; c\n", ["a, b; c"]),
        ("id|text\n1|a, b\n", ["a, b"]),
        ("\n\ntext,label\n\na,x\n\n", ["a"]),
        ("text,label,\na,x,\nb,y,,\n", ["a", "b"]),
        (" text , label\na,x\n  \n", ["a"]),
        ("text\n" + "a" * 500_000 + "\n", ["a" * 500_000]),
        ("text", []),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_tables(tmp_path: Path, ending: str, content: str, texts: list[str]) -> None:
    (tmp_path / f"a{ending}").write_text(content, newline="")
    assert read(tmp_path / f"a{ending}") == texts


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("body;label\na;x\n", "(it has body, label)"),
        ("text\nhello, world\n", "Line 2 of 'a.csv' has 2 cells and the header 1"),
        ('id,text\n1,"a\nb"\n2,c,d\n', "Line 4 of 'a.csv' has 3 cells and the header 2"),
        ("id,text\n1,a\nb\n", "Line 3 of 'a.csv' has 1 cells and the header 2"),
        ('id,text\n1,"a\n2,b\n', "up to line 3"),
        ('id,text\n1,"a" b\n', "double the quotation marks"),
        ("text,text\na,b\n", "several columns 'text'"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    assert said in sentence(lambda: read(tmp_path / "a.csv"))
    assert said in sentence(lambda: read_rows(tmp_path / "a.csv"))


def test_lines_of_a_table_are_counted_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('\nid,text\n1,"a\nb"\n2,c\n')
    assert [one.name for one in documents(tmp_path / "a.csv")] == ["a.csv line 3", "a.csv line 5"]


@pytest.mark.parametrize("packing", PACKINGS[1:])
def test_damaged_and_misnamed_compressed_files(tmp_path: Path, packing: str) -> None:
    whole = packed_bytes(b'{"text": "the cat sat on the mat"}\n' * 1000, packing)
    path = tmp_path / f"a.jsonl{packing}"
    for data in (whole[: len(whole) // 2], b"not packed at all", whole + b"more"):
        path.write_bytes(data)
        name = next(one.name for one in COMPRESSIONS if one.ending == packing)
        assert f"is not a whole {name} file" in sentence(lambda: read(path))
    (tmp_path / "a.jsonl").write_bytes(whole)
    assert f"add {packing} to the file's name" in sentence(lambda: read(tmp_path / "a.jsonl"))
    path.write_bytes(whole + whole)
    assert len(read(path)) == 2000


@pytest.mark.parametrize("name", ["a.log", "a.html", "a.txt.bak", "a.jsonl.zip", "a.7"])
def test_unknown_endings_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("the cat")
    said = sentence(lambda: read(tmp_path / name))
    assert f"ends in {name[name.rindex('.') :]}" in said
    assert "--corpus - < FILE" in said
    assert f"ends in {name[name.rindex('.') :]}" in sentence(lambda: read_rows(tmp_path / name))


def test_a_name_without_an_ending_is_that_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("the cat")
    write_texts(tmp_path / "notes.gz", ["the dog"])
    assert read(tmp_path / "README") == ["the cat"]
    assert read(tmp_path / "notes.gz") == ["the dog"]


def test_a_folder_says_what_it_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "deep").mkdir(parents=True)
    write_texts(folder / "b.jsonl.gz", ["second"])
    write_texts(folder / "a.csv", ["first"])
    write_texts(folder / "deep" / "c.parquet", ["third"])
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "LICENSE").write_text("none")
    (folder / "x.png").write_bytes(b"x")
    (folder / "y.png").write_bytes(b"y")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "no.txt").write_text("no")
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "gone.txt").symlink_to(folder / "nothing")
    os.mkfifo(folder / "pipe.txt")
    skips = Skips()
    assert read(folder, skips=skips) == ["first", "second", "third"]
    left, damaged = skips.say()
    assert damaged.startswith(
        "1 file that cannot be read was left out from there on ('latin.txt' is not UTF-8"
    )
    assert left == (
        "6 files of other kinds were left out (.png (2), a device or pipe, a link to a folder that is read"
        " already, a link to nothing, no ending)"
    )


def test_a_folder_of_nothing_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    (tmp_path / "y.log").write_text("y")
    assert "it holds .log, .png; read are .txt" in sentence(lambda: read(tmp_path))


def test_what_has_no_fields_refuses_one(tmp_path: Path) -> None:
    from tests.tiny import tiny_tokenizer

    from actmax.corpus.corpus import open_corpus

    (tmp_path / "a.txt").write_text("the cat")
    said = sentence(lambda: open_corpus(str(tmp_path / "a.txt"), tiny_tokenizer(), field="body"))
    assert "'a.txt' is plain text and has no field 'body'" in said
    assert "There is no corpus ''" in sentence(lambda: read(""))
    assert "There is no corpus '~nobody-here/a.txt'" in sentence(lambda: read("~nobody-here/a.txt"))


@pytest.mark.parametrize("ending", [".jsonl.zst", ".json.gz", ".csv", ".parquet"])
def test_no_file_has_to_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Six megabytes of text pass through small pieces, and less than half of them are ever held."""
    monkeypatch.setattr(decode, "_CHUNK", 1 << 14)
    words = random.Random(0).choices([f"word{k}" for k in range(999)], k=5_000)
    texts = [" ".join(words[k : k + 220]) for k in range(4_000)]
    path = write_texts(tmp_path / f"a{ending}", texts)
    if ending == ".parquet":  # one group of rows, in small pages
        table = pa.table({"text": texts})
        small = {"use_dictionary": False, "data_page_size": 1 << 14, "write_batch_size": 8}
        parquet.write_table(table, path, compression="none", **small)
        del table
    del texts
    pool = pa.default_memory_pool()
    before, most, length = pool.bytes_allocated(), 0, 0
    tracemalloc.start()
    try:
        for document in source_of(str(path), field="text", bounded=True).documents(Skips()):
            length += len(document.text)
            most = max(most, pool.bytes_allocated() - before)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert length > 6e6
    assert held < 3e6
    assert most < 3e6
