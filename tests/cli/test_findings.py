"""The verbs that measure: JSON, files, exit codes and sentences, on a tiny model saved to disk."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from tests.cli.command import mistake
from tests.tiny import tiny_model, tiny_tokenizer

from actmax.cli.main import main

TEXT = "the cat sat on the mat and the dog ran to the sea where a red ship was waiting for the tide. " * 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    tiny_model("llama").net.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("corpus")
    for k in range(3):
        (folder / f"{k}.txt").write_text(TEXT[7 * k :], encoding="utf-8")
    return str(folder)


def test_reproduce_as_json(model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["reproduce", "hidden_states.2:5", "--model", model, "--runs", "3", "--steps", "3"]
    assert main([*arguments, "--length", "3", "--json", "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "actmax.reproduce/1"
    assert told == json.loads((tmp_path / "result.json").read_text())
    assert (tmp_path / "report.html").exists()


def test_check_and_investigate(
    model: str, corpus: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    some = ["--model", model, "--corpus", corpus, "--others", "2", "--steps", "2", "--length", "2"]
    assert main(["check", "hidden_states.2:5", *some, "--no-shuffled"]) == 0
    shown = capsys.readouterr().out
    assert "One unit, one feature" in shown
    assert "Shared context" in shown
    arguments = ["investigate", "hidden_states.2:5", *some, "--runs", "2", "--out", str(tmp_path)]
    assert main([*arguments, "--method", "none", "--no-shuffled"]) == 0
    shown = capsys.readouterr().out
    assert "What may be concluded:" in shown
    assert json.loads((tmp_path / "result.json").read_text())["schema"] == "actmax.investigate/1"


def test_mistakes(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "at least 2" in mistake(capsys, "reproduce", "hidden_states.2:5", "--model", model, "--runs", "1")
    said = mistake(capsys, "check", "hidden_states.2:5", "--model", model, "--bos", "maybe")
    assert "choose auto, always or never" in said
    assert "no method" in mistake(
        capsys, "reproduce", "hidden_states.2:5", "--model", model, "--method", "sift"
    )


def test_deep_doctor_as_json(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--deep", "--model", model, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["relations"]] == [
        "blocks rebuild",
        "hidden states",
        "last hidden state",
        "embeddings path",
    ]
    assert all(one["holds"] for one in told["relations"])


@pytest.mark.parametrize(
    ("verb", "module", "before"),
    [
        ("check", "actmax.api.check", "the first check was done"),
        ("investigate", "actmax.api.investigate", "the corpus was read"),
        ("reproduce", "actmax.api.reproduce", "two runs were done"),
    ],
)
def test_ctrl_c_before_there_is_anything_says_so_and_leaves_with_130(
    verb: str,
    module: str,
    before: str,
    model: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def stopped(*given: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module(module), verb, stopped)
    out = tmp_path / "out"
    assert main([verb, "hidden_states.2:5", "--model", model, "--out", str(out)]) == 130
    told = capsys.readouterr()
    assert told.err == f"actmax: Interrupted before {before}; nothing is saved.\n"
    assert not out.exists() or not list(out.iterdir())


def test_ctrl_c_in_the_middle_writes_what_is_done_and_leaves_with_130(
    model: str,
    corpus: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def stopped(*given: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("actmax.checks.assumptions.continuity.Continuity.measure", stopped)
    some = ["--model", model, "--corpus", corpus, "--others", "2", "--steps", "2", "--length", "2"]
    assert main(["check", "hidden_states.2:5", *some, "--out", str(tmp_path)]) == 130
    assert f"what was done is in {str(tmp_path)!r}" in capsys.readouterr().err
    told = json.loads((tmp_path / "result.json").read_text())
    assert [one["name"] for one in told["checks"]] == ["one-feature", "importance"]
    assert told["complete"] is False
