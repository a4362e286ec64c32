from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.selectivity.corpora import corpus
from tests.tiny import tiny_tokenizer

from actmax.errors import ActmaxError
from actmax.selectivity import wordlists
from actmax.selectivity.files import file_and_label, has_labels, read_rows
from actmax.selectivity.groups import FoundSamples, SampleSource, check_apart
from actmax.selectivity.named import BUILT_IN, both_labels, parse_group
from actmax.selectivity.run import find_samples
from actmax.selectivity.sample import Sample, sample_of_text

RNG = np.random.default_rng


def source(**changes: object) -> SampleSource:
    return SampleSource(tiny_tokenizer(), corpus(), **changes)  # type: ignore[arg-type]


def found(name: str, **changes: object) -> FoundSamples:
    return parse_group(name).samples(source(**changes), RNG(0))


def target(sample: Sample) -> str:
    return str(tiny_tokenizer().decode(list(sample.ids[sample.start : sample.stop])))


def test_the_lists_are_as_large_as_they_say() -> None:
    assert len(set(wordlists.words("nouns"))) == 105
    assert len(set(wordlists.words("verbs"))) == 118
    assert len(set(wordlists.words("adjectives"))) == 60
    for one in ("nouns", "verbs", "adjectives", "negation", "affirmation"):
        for other in ("nouns", "verbs", "adjectives", "negation", "affirmation"):
            assert one == other or not set(wordlists.words(one)) & set(wordlists.words(other))


def test_pairs_differ_in_the_marked_word_alone() -> None:
    pairs = wordlists.sentence_pairs()
    assert len(pairs) >= 60
    for first, second in pairs:
        a, b = first.target, second.target
        assert first.text[: a[0]] == second.text[: b[0]]
        assert first.text[a[1] :] == second.text[b[1] :]
        assert first.text[slice(*a)].lower() in wordlists.words("negation")
        assert first.text[slice(*a)] != second.text[slice(*b)]
        assert not set("{}|*^") & set(first.text + second.text)


def test_the_second_set_has_both_categories_in_each_sentence() -> None:
    animals = wordlists.sentences("animals_and_vehicles", "*")
    vehicles = wordlists.sentences("animals_and_vehicles", "^")
    assert len(animals) == len(vehicles) == 20
    known = [
        {s.text[slice(*s.target)] for s in wordlists.sentences(name)} for name in ("animals", "vehicles")
    ]
    assert [len(words) for words in known] == [20, 20]
    for animal, vehicle in zip(animals, vehicles, strict=True):
        assert animal.text == vehicle.text
        assert animal.text[slice(*animal.target)] in known[0]
        assert vehicle.text[slice(*vehicle.target)] in known[1]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_group_has_a_partner_and_samples(name: str) -> None:
    assert BUILT_IN[BUILT_IN[name].partner]
    group = parse_group(name)
    if not group.needs_corpus:
        samples = group.samples(SampleSource(tiny_tokenizer()), RNG(0)).samples
        assert len(samples) >= 20
        assert all(sample.text in target(sample) for sample in samples)


def test_a_word_alone_has_its_space_or_not() -> None:
    group = parse_group("words:cat,dog", "alone")
    for space, forms in (("with", [" cat", " dog"]), ("without", ["cat", "dog"])):
        samples = group.samples(SampleSource(tiny_tokenizer(), space=space), RNG(0)).samples  # type: ignore[arg-type]
        assert [target(sample) for sample in samples] == forms
    both = group.samples(SampleSource(tiny_tokenizer(), space="both"), RNG(0)).samples
    assert [target(sample) for sample in both] == [" cat", "cat", " dog", "dog"]
    assert both[0].document == both[1].document


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 0), (3, 2), (1000, 1000)])
def test_a_window_holds_what_stands_around_the_target(before: int, after: int) -> None:
    tokens = corpus()
    for sample in found("words:cat,sea", before=before, after=after).samples:
        begin = sample.where - sample.start
        assert tokens.ids[begin : begin + len(sample.ids)].tolist() == list(sample.ids)
        assert sample.start <= before
        assert len(sample.ids) - sample.stop <= after
        assert target(sample).strip() == sample.word
        document = int(sample.document.split()[-1])
        assert tokens.bounds[document] <= begin
        assert begin + len(sample.ids) <= tokens.bounds[document + 1]
        text = tokens.texts[document]
        assert sample.before + sample.text + sample.after in text
        assert sample.text == sample.word


def test_words_that_never_occur_are_named() -> None:
    assert found("words:cat,zebra,sea").missing == ("zebra",)


def test_files_of_each_kind(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("the cat\n\nthe dog\n")
    (tmp_path / "rows.csv").write_text(
        'text,label,target\nthe cat sat,x,cat\na dog ran,y,\n"the, sea",x,sea\n'
    )
    rows = [{"text": "the cat sat", "target": "cat", "document": "d"}, {"text": "a ship", "document": "d"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert [target(s) for s in found(str(tmp_path / "lines.txt")).samples] == ["the cat", "the dog"]
    assert [target(s) for s in found(str(tmp_path / "rows.csv#x")).samples] == [" cat", " sea"]
    samples = found(str(tmp_path / "rows.jsonl")).samples
    assert [target(s) for s in samples] == [" cat", "a ship"]
    assert {s.document for s in samples} == {"d"}
    assert both_labels(str(tmp_path / "rows.csv")) == tuple(f"{tmp_path}/rows.csv#{label}" for label in "xy")


def test_a_target_of_several_tokens_is_all_of_them() -> None:
    text = "a waiting ship"
    sample = sample_of_text(tiny_tokenizer(), text, target=(2, 9))
    assert sample.stop - sample.start >= 1
    assert target(sample).strip() == sample.text == "waiting"


def bad_csv(text: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / "x.csv").write_text(text)
        return str(folder / "x.csv")

    return make


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("words:", "is empty"),
        ("words:zebra", "occurs nowhere in the corpus 'small'"),
        ("words:Anna", "has one member ('Anna')"),
        ("regex:", "is empty"),
        ("regex:[", "not a regular expression"),
        ("length:0", "not a length"),
        ("length:" + "9" * 5000, "not a length"),
        ("length:5-3", "holds no length"),
        ("nuons", "nearest are nouns"),
        ("missing.csv", "There is no file"),
    ],
)
def test_a_group_that_cannot_be_is_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(ActmaxError) as error:
        found(name)
    assert sentence in str(error.value)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("text,label\na,x\nb,x\n", "All labels in x.csv are 'x'"),
        ("text,label\na,x\nb,\n", "1 of 2 rows of x.csv have no label"),
        ("text,label\na,x\nb,nan\n", "1 of 2 rows of x.csv have no label"),
        ("text,label\na,x\nb,y\nc,z\n", "has 3 labels"),
        ("words,label\na,x\n", "no text in a field 'text' (it has words, label)"),
        ("text,label\n,x\n", "Line 2 of x.csv has no text"),
    ],
)
def test_labels_that_cannot_be_compared(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ActmaxError, match=re.escape(sentence)):
        both_labels(bad_csv(text)(tmp_path))


def rows_file(folder: Path, *rows: dict[str, object], name: str = "x.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("text", "wanted", "span"),
    [
        ("The category of the cat", "cat", (20, 23)),
        ("At the start of art", "art", (16, 19)),
        ("there are 0 left of 10", 0, (10, 11)),
        ("pi is 3.5 or 13.5", 3.5, (6, 9)),
        ("the cat's cat", "cat", (10, 13)),
        ("the cat's", "cat", (4, 7)),
        ("cat", "cat", (0, 3)),
        ("of a new york minute", "new york", (5, 13)),
        ("東京都に行く", "京都", (1, 3)),
        ("cafe\u0301 or cafe", "cafe", (9, 13)),
        ("a c++ c+ cat", "c+", (2, 4)),
        ("the cat", " cat", (3, 7)),
        ("the cat", "", None),
        ("the cat", None, None),
        ("the cat", float("nan"), None),
    ],
)
def test_a_target_is_a_whole_word(
    tmp_path: Path, text: str, wanted: object, span: tuple[int, int] | None
) -> None:
    (row,) = read_rows(rows_file(tmp_path, {"text": text, "target": wanted}))
    assert row.target == span
    assert span is None or text[slice(*span)] == str(wanted)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "the cat", "target": "dog"}, "The target 'dog' of line 1 of x.jsonl is not in its text"),
        ({"text": "a category", "target": "cat"}, "only inside longer words"),
        ({"text": "10 cats", "target": 0}, "only inside longer words"),
        ({"text": "it is True", "target": True}, "is True; give a word"),
        ({"text": "the cat", "target": [4, 7]}, "is [4, 7]; give a word"),
        ({"text": "the cat", "label": ["a"]}, "is ['a']; give a word"),
        ({"text": "half \ud83d"}, "half of a surrogate pair"),
        ({"text": None}, "Line 1 of x.jsonl has no text"),
        ({"text": 3}, "Line 1 of x.jsonl has no text"),
        ({"text": " "}, "Line 1 of x.jsonl has no text"),
    ],
)
def test_rows_that_are_refused(tmp_path: Path, row: dict[str, object], said: str) -> None:
    with pytest.raises(ActmaxError, match=re.escape(said)) as error:
        read_rows(rows_file(tmp_path, row))
    assert str(error.value).endswith(".")


def test_a_label_stands_behind_the_last_mark_after_a_file(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": f"text {k}", "label": "a" if k < 2 else "b#2"} for k in range(5)
    ]
    folder = tmp_path / "run#3"
    path = rows_file(folder, *rows)
    strange = rows_file(folder, *rows, name="y.jsonl#a")
    assert file_and_label(f"{path}#a") == (path, "a")
    assert file_and_label(f"{path}#b#2") == (path, "b#2")
    assert file_and_label(str(path)) == (path, None)
    assert file_and_label(str(strange)) == (strange, None)
    assert file_and_label("nouns") is None
    assert [s.text for s in found(f"{path}#b#2").samples] == ["text 2", "text 3", "text 4"]
    assert parse_group(f"{path}#a").name == "x.jsonl#a"
    assert both_labels(str(path)) == (f"{path}#a", f"{path}#b#2")
    assert has_labels(str(path))
    assert not has_labels(f"{path}#a")
    assert not has_labels("nouns")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.jsonl#c", "has the label 'c'; its labels are b, a"),
        ("plain.txt#a", "it has no labels"),
        ("none.jsonl#a", "There is no file"),
        ("", "is a folder"),
        ("#a", "is a folder"),
        ("empty.jsonl", "is empty"),
        ("x.log", "ends in .log"),
    ],
)
def test_files_that_are_not_groups(tmp_path: Path, name: str, said: str) -> None:
    rows_file(tmp_path, {"text": "one", "label": "a"}, {"text": "two", "label": "b"})
    for other in ("plain.txt", "x.log"):
        (tmp_path / other).write_text("one\ntwo\n")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ActmaxError, match=re.escape(said)):
        parse_group(f"{tmp_path}/{name}")


def test_labels_of_tables_and_of_parquet_are_text(tmp_path: Path) -> None:
    table = {"text": ["one", "two", "three", "four"], "label": [0, 0, 1, 1], "extra": [[1], [2], [3], [4]]}
    parquet.write_table(pa.table(table), tmp_path / "x.parquet")
    assert both_labels(str(tmp_path / "x.parquet")) == tuple(f"{tmp_path}/x.parquet#{n}" for n in (0, 1))
    assert [s.text for s in found(f"{tmp_path}/x.parquet#0").samples] == ["one", "two"]


def test_a_corpus_rule_without_a_corpus() -> None:
    with pytest.raises(ActmaxError, match="name one with --corpus"):
        parse_group("words:cat,sea").samples(SampleSource(tiny_tokenizer()), RNG(0))


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [
        ("words:cat,sea", "words:dog,sea", "'sea'"),
        ("words:cat,sea", "regex:c[a-z]t", "'cat'"),
        ("words:the,sea", r"regex:the [a-z]+", "'the"),
    ],
)
def test_groups_that_overlap(a: str, b: str, shared: str) -> None:
    with pytest.raises(ActmaxError, match="overlap") as error:
        find_samples([parse_group(a), parse_group(b)], [], source(), RNG(0))
    assert shared in str(error.value)


def test_the_same_text_twice_is_an_overlap_unless_the_target_differs() -> None:
    a, b = parse_group("animals-second"), parse_group("vehicles-second")
    one, other = (group.samples(SampleSource(tiny_tokenizer()), RNG(0)) for group in (a, b))
    check_apart(a, b, one, other)
    with pytest.raises(ActmaxError, match="overlap"):
        check_apart(a, a, one, one)


def test_a_draw_depends_on_the_seed_alone() -> None:
    one, again, other = (
        parse_group("regex:[a-z]+").samples(source(most=10), RNG(seed)).samples for seed in (0, 0, 1)
    )
    assert one == again != other
    assert len(one) == 10
