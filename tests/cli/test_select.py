"""``actmax select`` as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.cli.command import environment, is_one_sentence, mistake
from tests.tiny import tiny_net, tiny_tokenizer

from actmax.api.load import load
from actmax.cli.main import main
from actmax.cli.show.select import bars
from actmax.models.read import read as read_model
from actmax.models.sites import resolve
from actmax.results.select import SelectResult

TEXT = "the cat sat on the mat {k} and the dog ran to the sea, a red ship was waiting for Anna by the tide. "


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_net().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str) -> str:
    monkeypatch.setenv("ACTMAX_CACHE", cache)
    folder = tmp_path / "texts"
    folder.mkdir()
    for k in range(12):
        (folder / f"{k}.txt").write_text("".join(TEXT.format(k=n) for n in range(k, k + 4)))
    return str(folder)


def options(model: str, texts: str, *more: str) -> list[str]:
    return ["select", "--model", model, "--device", "cpu", "--corpus", texts, "--window", "6", *more]


def test_a_table_for_people(model: str, texts: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options(model, texts, "--a", "words:cat,dog", "--b", "words:sea,tide")) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "units (" in said.out
    assert "blocks." in said.out
    assert "words:cat,dog: 96 of 96 samples from 12 documents" in said.out
    assert "mlp.hook_pre, blocks 0 to 2" in said.out


def test_a_folder_with_everything(
    model: str, texts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--a", "words:cat,dog", "--b", "words:sea,tide", "--out", str(out), "--json"]
    assert main(options(model, texts, "--save-activations", *arguments)) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "actmax.select/1"
    assert data == json.loads((out / "result.json").read_text())
    assert {path.name for path in out.iterdir()} == {
        "result.json",
        "manifest.json",
        "report.html",
        "statistics.safetensors",
        "activations.safetensors",
        "activations.json",
    }
    assert data["n_units"] == 3 * 64
    assert [unit["rank"] for unit in data["units"]] == list(range(1, 51))
    opened = load(model, device="cpu")
    for unit in data["units"]:
        assert resolve(opened, unit["unit"]).index == unit["index"]
        assert resolve(opened, unit["unit"]).site.name == unit["site"]
    p = [unit["p"] for unit in data["units"]]
    assert p == sorted(p)
    tensors = load_file(out / "statistics.safetensors")
    assert all(len(tensor) == data["n_units"] for tensor in tensors.values())
    best = data["units"][0]
    at = data["sites"].index(best["site"]) * 64 + best["index"]
    assert float(tensors["t"][at]) == best["t"]
    assert tensors["p"].min() == best["p"]
    stored = load_file(out / "activations.safetensors")[best["site"]]
    rows = json.loads((out / "activations.json").read_text())["samples"]
    of_a = torch.tensor([row["group"] == "words:cat,dog" for row in rows])
    assert best["mean_a"] == pytest.approx(float(stored[of_a, best["index"]].mean()), rel=1e-4)
    loaded = SelectResult.load(out)
    assert loaded.to_json() == data
    assert len(loaded.columns()["unit"]) == 50
    assert loaded.columns("layers")["units"] == [64, 64, 64]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["corpus_sha256"] == data["corpus"]["sha256"]


def test_the_same_seed_gives_the_same_numbers(
    model: str, texts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for seed in ("0", "0", "1"):
        given = [
            "--a",
            r"regex:\b[a-m][a-z]+",
            "--b",
            r"regex:\b[n-z][a-z]+",
            "--samples",
            "20",
            "--json",
            "--seed",
            seed,
        ]
        assert main(options(model, texts, *given)) == 0
        data = json.loads(capsys.readouterr().out)
        del data["cost"]
        found.append(data)
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.parametrize("test", ["welch", "mann-whitney", "logistic", "paired"])
def test_every_test_and_groups_without_a_corpus(
    model: str, test: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        "--a",
        "negation-pairs",
        "--b",
        "affirmation-pairs",
        "--corpus",
        "none",
        "--test",
        test,
        "--json",
    ]
    assert main(["select", "--model", model, "--device", "cpu", *given]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["settings"]["test"] == test
    assert data["a"]["samples"] == data["b"]["samples"] == 64
    assert data["corpus"] is None
    assert data["passages"] == []
    assert "frequency" not in data["covariates"]
    assert data["held_out"]["kind"] == "documents"


def test_a_second_set(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    groups = [
        "--a",
        "animals",
        "--b",
        "vehicles",
        "--second-a",
        "animals-second",
        "--second-b",
        "vehicles-second",
    ]
    assert main(["select", "--model", model, "--device", "cpu", "--corpus", "none", "--json", *groups]) == 0
    held = json.loads(capsys.readouterr().out)["held_out"]
    assert held["kind"] == "second set"
    assert (held["samples_found"], held["samples_held"]) == (40, 40)
    assert held["held"] <= held["found"]


def test_a_labelled_file_and_words_held_out(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.csv"
    rows = [
        f"the {word} was here {k},{label},{word}"
        for k in range(3)
        for label, word in (
            ("x", "cat"),
            ("x", "dog"),
            ("x", "mat"),
            ("y", "sea"),
            ("y", "tide"),
            ("y", "ship"),
        )
    ]
    file.write_text("text,label,target\n" + "\n".join(rows) + "\n")
    given = ["--a", str(file), "--corpus", "none", "--hold-out", "words", "--json"]
    assert main(["select", "--model", model, "--device", "cpu", *given]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["a"]["name"], data["b"]["name"]) == ("rows.csv#x", "rows.csv#y")
    assert data["held_out"]["kind"] == "words"


def test_the_list_of_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["select", "--list"]) == 0
    assert "negation-pairs" in capsys.readouterr().out
    assert main(["select", "--list", "--json"]) == 0
    assert "nouns" in [group["name"] for group in json.loads(capsys.readouterr().out)]


def test_mistakes_are_sentences(
    model: str, texts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--a", "words:cat,dog", "--b", "words:sea,tide"]
    constant = tmp_path / "constant.csv"
    constant.write_text("text,label\na cat,x\nthe dog,x\n")
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n")
    for given, part in (
        ([], "Name a group with --a"),
        (["--a", "words:cat,dog"], "second group with --b"),
        (["--a", "words:zebra", "--b", "words:sea,tide"], "occurs nowhere"),
        (["--a", "words:", "--b", "words:sea,tide"], "is empty"),
        (["--a", str(empty), "--b", "words:sea,tide"], "is empty"),
        (["--a", "regex:(?s)^the cat.*", "--b", "words:sea,tide"], "overlap"),
        (["--a", "words:cat,sea", "--b", "words:sea,tide"], "'sea' is in both"),
        (["--a", str(constant)], "All labels in constant.csv are 'x'"),
        ([*both, "--sites", "blocks.*.nothing"], "names no site"),
        ([*both, "--test", "t"], "Unknown test 't'; choose welch"),
        ([*both, "--correction", "holm"], "Unknown correction 'holm'"),
        ([*both, "--alpha", "2"], "--alpha must be more than 0 and less than 1 (got 2.0)"),
        ([*both, "--token", "middle"], "Unknown token 'middle'"),
        ([*both, "--hold", "books"], "Unknown hold 'books'; choose documents or words"),
        ([*both, "--words", "here"], "Unknown words 'here'"),
        ([*both, "--bos", "maybe"], "Unknown bos 'maybe'; choose auto, always or never"),
        ([*both, "--window", "60"], "lower --window"),
        ([*both, "--second-a", "animals"], "give both --second-a and --second-b"),
        ([*both, "--save-activations"], "name it with --out"),
        ([*both, "--test", "paired"], "have no partners"),
        (["--a", "animals", "--b", "negation-pairs", "--test", "paired"], "groups of one size"),
    ):
        where = (
            options(model, texts, *given)
            if "--window" not in given
            else ["select", "--model", model, "--corpus", texts, *given]
        )
        assert part in mistake(capsys, *where), given


def test_one_member_is_a_sentence(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = tmp_path / "one.txt"
    one.write_text("the cat\n")
    given = ["--a", str(one), "--b", "vehicles", "--corpus", "none"]
    assert "has one member" in mistake(capsys, "select", "--model", model, *given)


def test_nan_in_the_model_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tiny_net()
    with torch.no_grad():
        dict(net.named_parameters())["model.layers.1.mlp.gate_proj.weight"][7] = float("nan")
    net.save_pretrained(tmp_path / "nan")
    tiny_tokenizer().save_pretrained(tmp_path / "nan")
    given = ["--a", "animals", "--b", "vehicles", "--corpus", "none", "--model", str(tmp_path / "nan")]
    said = mistake(capsys, "select", *given)
    assert "gate_proj.weight" in said
    assert "not numbers (NaN or infinite)" in said


def test_ctrl_c_keeps_what_was_read(
    model: str,
    texts: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = [0]

    def read(*args: object, **kwargs: object) -> object:
        calls[0] += 1
        if calls[0] > 6:
            raise KeyboardInterrupt
        return read_model(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("actmax.selectivity.extract.read", read)
    monkeypatch.setattr("actmax.selectivity.extract._BLOCK", 16)
    out = tmp_path / "out"
    given = ["--a", "words:cat,dog", "--b", "words:sea,tide", "--out", str(out)]
    assert main(options(model, texts, *given)) == 130
    said = capsys.readouterr().err
    assert is_one_sentence(said)
    assert "Interrupted after" in said
    data = json.loads((out / "result.json").read_text())
    assert data["complete"] is False
    assert 4 <= data["a"]["samples"] + data["b"]["samples"] < 192
    assert data["chance"] is None
    assert data["probe"] is None
    assert "stopped before everything was done" in (out / "report.html").read_text()


REPORTING = """
import sys
import actmax.selectivity.run as run
from actmax.cli.main import entry_point as main

_statistics = run._statistics

def reported(out, settings, rng, progress):
    def told(stage, done, total, **more):
        if stage == "shuffling":
            print(stage, file=sys.stderr, flush=True)
        progress(stage, done, total, **more)
    _statistics(out, settings, rng, told)

run._statistics = reported
sys.argv[0] = "actmax"
main()
"""
"""``actmax`` that says on stderr when it begins to shuffle, so that nobody has to wait for a time."""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to a process there")
def test_a_real_ctrl_c_exits_130(model: str, texts: str, cache: str, tmp_path: Path) -> None:
    many = [
        "--a",
        r"regex:\b[a-m][a-z]+",
        "--b",
        r"regex:\b[n-z][a-z]+",
        "--permutations",
        "2000000",
        "--no-context",
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", REPORTING, *options(model, texts, *many), "--out", str(tmp_path / "out")],
        env=environment({"ACTMAX_CACHE": cache}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("shuffling"), "the shuffles of the labels have begun"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert is_one_sentence(stderr), stderr


def test_bars_say_shares_and_never_more() -> None:
    assert bars([0.0, 0.5, 1.0, 2.0, -1.0, float("nan")]) == "▁▅██▁·"
