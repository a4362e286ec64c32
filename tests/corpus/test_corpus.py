"""Corpora of every kind, and everything that can be wrong with them."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.tiny import tiny_tokenizer

from actmax.cache import CACHE_VARIABLE
from actmax.corpus import decode
from actmax.corpus import files as corpus_files
from actmax.corpus import store as corpus_store
from actmax.corpus.corpus import open_corpus
from actmax.corpus.formats import ENDINGS_TEXT
from actmax.corpus.source import LONGEST
from actmax.corpus.tokens import Tokens, tokens_of_texts
from actmax.errors import ActmaxError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(path: Path | str | list[str], **options: Any) -> Tokens:
    names = str(path) if isinstance(path, Path) else path
    return open_corpus(names, tiny_tokenizer(), **options)


def texts_of(tokens: Tokens) -> list[str]:
    return [tokens.texts[k] for k in range(tokens.n_documents)]


def names_of(tokens: Tokens) -> list[str]:
    return [tokens.names[k] for k in range(tokens.n_documents)]


def sentence(path: Path | str | list[str], **options: Any) -> str:
    with pytest.raises(ActmaxError) as error:
        opened(path, **options)
    said = str(error.value)
    assert said.endswith(".")
    assert "\n" not in said
    return said


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in (cache / "corpora").glob(".*")]


def test_a_text_file_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("the cat\nsat ünd 😀".encode())
    tokens = opened(tmp_path / "a.txt")
    assert texts_of(tokens) == ["the cat\nsat ünd 😀"]
    assert names_of(tokens) == ["a.txt"]
    assert tokens.name == "a.txt"
    assert tokens.skipped == ()


def test_what_is_stored_equals_what_is_tokenised_in_memory(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "the cat sat"}\n\n{"text": "on the mat"}\n')
    stored, fresh = (
        opened(tmp_path / "a.jsonl"),
        tokens_of_texts(["the cat sat", "on the mat"], tiny_tokenizer()),
    )
    for name in ("ids", "starts", "ends", "bounds"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(fresh, name))
    assert stored.text_sha256 == fresh.text_sha256
    assert names_of(stored) == ["a.jsonl line 1", "a.jsonl line 3"]


def test_a_long_text_is_read_in_sections_that_make_it_up(tmp_path: Path) -> None:
    text = "\n\n".join(f"paragraph {k} " + "the cat sat on the mat. " * 30 for k in range(300))
    (tmp_path / "book.txt").write_text(text)
    tokens = opened(tmp_path / "book.txt")
    assert "".join(texts_of(tokens)) == text
    assert tokens.n_documents > 10
    for k, name in enumerate(names_of(tokens)[:-1]):
        start = int(name.rsplit(" ", 1)[1].replace(",", ""))
        assert text[start:].startswith(texts_of(tokens)[k])
        assert texts_of(tokens)[k].endswith("\n\n")


def test_a_line_of_50_mb_is_cut_and_lost_nowhere(tmp_path: Path) -> None:
    """Without blanks; a tenth of the size, and limits a tenth of theirs."""
    (tmp_path / "line.txt").write_text("ab" * 250_000)
    tokens = opened(tmp_path / "line.txt")
    assert sum(map(len, texts_of(tokens))) == 500_000
    assert max(map(len, texts_of(tokens))) <= corpus_files.WHOLE


def test_too_long_lines_of_json_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "LONGEST_LINE", 1 << 20)
    long = json.dumps({"text": "a" * (3 << 20)})
    (tmp_path / "a.jsonl").write_text(f'{long}\n{{"text": "the cat"}}\n{long}\n')
    tokens = opened(tmp_path / "a.jsonl")
    assert texts_of(tokens) == ["the cat"]
    assert names_of(tokens) == ["a.jsonl line 2"]
    assert tokens.skipped == ("2 lines of more than 16,777,216 characters were left out",)


def test_long_documents_are_read_in_parts(tmp_path: Path) -> None:
    text = "the cat sat " * (LONGEST // 10)
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}))
    tokens = opened(tmp_path / "a.jsonl")
    assert "".join(texts_of(tokens)) == text
    assert names_of(tokens) == ["a.jsonl line 1 part 1", "a.jsonl line 1 part 2"]


def test_parquet(tmp_path: Path) -> None:
    table = pa.table({"text": ["the cat", None, "", "the dog"], "n": [1, 2, 3, 4]})
    parquet.write_table(table, tmp_path / "a.parquet")
    tokens = opened(tmp_path / "a.parquet")
    assert texts_of(tokens) == ["the cat", "the dog"]
    assert names_of(tokens) == ["a.parquet row 1", "a.parquet row 4"]
    assert tokens.skipped == ("1 empty document was left out", "1 row without text was left out")
    assert "'n'" in sentence(tmp_path / "a.parquet", field="n")
    assert "it has text, n" in sentence(tmp_path / "a.parquet", field="body")


def test_a_folder_in_the_order_of_names(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.txt").write_text("second")
    (folder / "a.txt").write_text("first")
    (folder / "sub" / "c.jsonl").write_text('{"text": "third"}')
    (folder / "picture.png").write_bytes(bytes(range(256)))
    (folder / "binary.txt").write_bytes(bytes(range(256)))
    (folder / ".hidden.txt").write_text("not me")
    tokens = opened(folder)
    assert texts_of(tokens) == ["first", "second", "third"]
    assert tokens.skipped == (
        "1 file of another kind was left out (.png)",
        "1 file that cannot be read was left out from there on ('binary.txt' is not UTF-8 text: the byte 0x00"
        f" at offset 0 is one of binary files; read are {ENDINGS_TEXT} files)",
    )


def test_several_corpora_follow_one_another(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name * 3)
    tokens = opened([str(tmp_path / "b.txt"), str(tmp_path / "a.txt")])
    assert texts_of(tokens) == ["bbb", "aaa"]
    assert tokens.name == "b.txt + a.txt"


def test_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "piped").write_bytes(b"the cat sat")
    with (tmp_path / "piped").open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=stream, isatty=lambda: False))
        tokens = opened("-")
        assert texts_of(tokens) == ["the cat sat"]
        assert tokens.name == "stdin"
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=stream, isatty=lambda: True))
        assert "nothing is piped" in sentence("-")


def test_broken_utf8_is_replaced_and_counted(tmp_path: Path) -> None:
    """They are rare among the characters beyond ASCII, so the text is UTF-8 in which a little is damaged."""
    cats = "ein Kätzchen und ein Löwe. " * 10
    (tmp_path / "a.txt").write_bytes(f"{cats}\ufffd on ".encode() + b"\xff the mat \xe6\x9d")
    tokens = opened(tmp_path / "a.txt")
    assert texts_of(tokens) == [f"{cats}\ufffd on \ufffd the mat \ufffd"]
    assert tokens.skipped == ("2 byte sequences were not UTF-8 and were replaced",)


def test_half_surrogates_of_json_are_replaced_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a\\ud800b"}')
    tokens = opened(tmp_path / "a.jsonl")
    assert texts_of(tokens) == ["a\ufffdb"]
    assert tokens.skipped == ("1 half of a surrogate pair was replaced",)


def test_lines_that_are_not_json_or_lack_the_field_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "the cat"}\nnot json\n[1]\n{"body": "x"}\n{"text": 3}\n')
    tokens = opened(tmp_path / "a.jsonl")
    assert texts_of(tokens) == ["the cat"]
    assert tokens.skipped == (
        "1 line that is not JSON was left out",
        "3 records without text in the field were left out",
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.txt", b"", "holds no text"),
        ("blank.txt", b" \n\n\t ", "1 empty document was left out"),
        ("empty.jsonl", b"", "holds no text"),
        ("binary.txt", bytes(range(256)) * 4, "not UTF-8 text"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe\xfd\0\0\0", "not UTF-8 text"),
        ("wide.txt", "the cat".encode("utf-16"), "UTF-16"),
        ("other.jsonl", b'{"body": "x", "id": 1}\n', "it has body, id"),
        ("list.jsonl", b"[1, 2]\n", "its records are not objects"),
        ("prose.jsonl", b"the cat\nsat\n", "no line is JSON"),
        ("deep.jsonl", b"[" * 100_000, "no line is JSON"),
        ("bad.parquet", b"PAR1 not really", "not a whole parquet file"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, cache: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in sentence(tmp_path / name)
    assert leftovers(cache) == []


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "There is no corpus" in sentence(tmp_path / "nothing.txt")
    assert "wikipedia-excerpt" in sentence("wikipedia")
    (tmp_path / "empty").mkdir()
    assert "holds no file that is read as text: it is empty" in sentence(tmp_path / "empty")
    assert "No corpus" in sentence([])


def test_a_corpus_that_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("the cat")
    first = opened(path)
    path.write_text("the dog")
    second = opened(path)
    assert texts_of(second) == ["the dog"]
    assert first.text_sha256 != second.text_sha256
    assert texts_of(first) == ["the cat"]


def test_a_corpus_is_tokenised_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("the cat sat")
    first = opened(tmp_path / "a.txt")

    def never(*_: object, **__: object) -> Iterator[Any]:
        raise AssertionError("tokenised again")

    monkeypatch.setattr(corpus_store, "encode", never)
    again = opened(tmp_path / "a.txt")
    np.testing.assert_array_equal(again.ids, first.ids)
    assert isinstance(again.ids, np.memmap)


def test_a_failure_half_way_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("the cat sat")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus_store, "_bound", full)
    assert "no space is left" in sentence(tmp_path / "a.txt")
    assert not list((cache / "corpora").iterdir())


def test_only_so_much_of_a_long_corpus_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from actmax.corpus import corpus

    monkeypatch.setattr(corpus, "READ_AHEAD", 1000)
    rows = "".join(json.dumps({"text": "the cat sat on the mat"}) + "\n" for _ in range(500))
    (tmp_path / "a.jsonl").write_text(rows)
    assert opened(tmp_path / "a.jsonl", max_tokens=1).n_documents < 500
    assert opened(tmp_path / "a.jsonl").n_documents == 500


class FakeDatasets(types.ModuleType):
    """Stands for the library ``datasets``: one small data set."""

    def load_dataset(self, name: str, config: str | None, *, split: str, streaming: bool) -> Iterator[Any]:
        assert streaming
        if name != "some/data":
            raise ConnectionError("cannot reach the hub")
        yield {"text": f"{split} {config}", "n": 1}
        yield {"text": None, "n": 2}
        if config == "broken":
            raise OSError("reset by peer")
        yield {"text": "the end", "n": 3}


def test_a_data_set_of_the_hub_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", FakeDatasets("datasets"))
    tokens = opened("hf:some/data@en:test", max_tokens=100)
    assert texts_of(tokens) == ["test en", "the end"]
    assert tokens.skipped == ("1 row without text was left out",)
    assert tokens.name == "hf:some/data@en:test"
    assert names_of(tokens) == ["test row 1", "test row 3"]
    assert "--max-tokens" in sentence("hf:some/data")
    assert "in a field 'body' (it has text, n)" in sentence("hf:some/data", max_tokens=9, field="body")
    assert "ConnectionError: cannot reach the hub" in sentence("hf:other", max_tokens=9)
    assert "broke off at row 2" in sentence("hf:some/data@broken", max_tokens=9)


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "actmax[hub]" in sentence("hf:some/data", max_tokens=9)
