"""``actmax atlas`` as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.command import environment, is_one_sentence, mistake
from tests.tiny import tiny_net, tiny_tokenizer

from actmax.cli.main import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_net().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("the cat sat on the mat and the dog ran to the sea " * 20)
    (folder / "b.txt").write_text("a \x1b[31mred\x1b[0m ship\x07 was \u202egnitiaw\u202c for the tide")
    return folder


def arguments(model: str, texts: Path, folder: Path, *more: str) -> list[str]:
    given = ["--model", model, "--device", "cpu", "--window", "16", "--corpus", str(texts), *more]
    return ["atlas", "build", str(folder), *given]


def test_build_show_find(model: str, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "atlas"
    assert main(arguments(model, texts, folder, "--json")) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest["schema"] == "actmax.atlas/1"
    assert manifest["corpus"]["documents"] == 2
    assert main(["atlas", "show", str(folder), "blocks.1.mlp.hook_post:3"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "Strongest" in shown
    assert main(["atlas", "show", str(folder), "blocks.1.mlp.hook_post:3", "--json"]) == 0
    unit = json.loads(capsys.readouterr().out)
    assert unit["max"] == unit["top"][0]["activation"]
    assert main(["atlas", "find", str(folder), "--text", "sea", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["units"]
    assert found
    assert all("sea" in token for one in found for token in one["tokens"])
    assert "regular expression" in mistake(capsys, "atlas", "find", str(folder), "--text", "[")
    assert "out of range" in mistake(capsys, "atlas", "show", str(folder), "blocks.1.mlp.hook_post:64")
    assert "no atlas" in mistake(capsys, "atlas", "show", str(tmp_path), "hook_embed:0")
    assert "--resume" in mistake(capsys, *arguments(model, texts, folder))
    assert main(arguments(model, texts, folder, "--resume")) == 0


def test_a_corpus_that_changes(
    model: str, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "atlas"
    assert main(arguments(model, texts, folder)) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (texts / "c.txt").write_text("more text")
    assert "corpus's text" in mistake(capsys, *arguments(model, texts, folder, "--resume"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_files_in_the_middle_that_cannot_be_read(
    model: str, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(model, texts, tmp_path / "without")) == 0
    (texts / "aa.txt").write_bytes(bytes(range(256)) * 4)
    (texts / "ab.parquet").write_bytes(b"PAR1 and then nothing of the kind PAR1")
    (texts / "ac.jsonl").write_text('{"title": "no text"}\n')
    capsys.readouterr()
    assert main(arguments(model, texts, tmp_path / "with")) == 0
    printed = capsys.readouterr()
    assert "3 files that cannot be read were left out" in " ".join((printed.out + printed.err).split())
    manifest = json.loads((tmp_path / "with" / "manifest.json").read_text())
    assert any("3 files that cannot be read" in one for one in manifest["corpus"]["skipped"])
    for name in ("units.parquet", "examples.parquet"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


def test_ctrl_c_leaves_with_130(model: str, texts: Path, tmp_path: Path) -> None:
    (texts / "long.txt").write_text("the dog ran to the sea where a red ship was waiting " * 1000)
    folder = tmp_path / "atlas"
    command = [sys.executable, "-m", "actmax", *arguments(model, texts, folder)]
    running = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "building.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert is_one_sentence(stderr)
    assert "is saved" in stderr
    assert (folder / "state.safetensors").exists()
