"""``actmax observe`` as it is typed."""

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
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("the cat sat on the mat and the dog ran to the sea")
    (folder / "b.txt").write_text(
        "a \x1b[31mred\x1b[0m ship\x07 was \u202egnitiaw\u202c for the tide [bold]x[/bold]"
    )
    return str(folder)


def run(model: str, *arguments: str) -> int:
    return main(["observe", "--model", model, "--device", "cpu", "--window", "16", *arguments])


def test_a_table_for_people(model: str, texts: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "hidden_states.2:7", "--corpus", texts) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "hidden_states.2:7" in said.out
    assert "left out: position 0" in said.out
    assert "largest in" in said.out
    assert "2 documents" in said.out


def test_control_characters_never_reach_the_terminal(
    model: str, texts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(model, "hidden_states.2:7", "hook_embed:3", "--corpus", texts, "--all-examples", "--context", "9")
        == 0
    )
    out = capsys.readouterr().out
    assert "⟨U+001B⟩" in out
    assert [c for c in out if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)] == []
    assert "\u202e" not in out
    assert "[bold]" in out.replace("·", " ")


def test_json_and_files_are_the_same(
    model: str, texts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ("--corpus", texts, "--top", "3", "--json", "--out", str(out), "--neuronpedia")
    assert run(model, "hidden_states.2:7", *options) == 0
    said = capsys.readouterr()
    assert said.err == ""
    data = json.loads(said.out)
    assert json.loads((out / "result.json").read_text()) == data
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["corpus_sha256"] == data["corpus"]["sha256"]
    assert manifest["bos"].startswith("auto (id 0")
    assert manifest["tokenizer_sha256"]
    assert "hidden_states.2:7" in (out / "report.html").read_text()
    assert (out / "neuronpedia" / "tiny" / "1-actmax-resid-post" / "features" / "batch-0.jsonl.gz").is_file()
    assert data["units"][0]["unit"] == "hidden_states.2:7"


def test_quiet_says_nothing(model: str, texts: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "hidden_states.2:7", "--corpus", texts, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["hidden_states.99:1"], "hidden_states.99"),
        (["hidden_states.2"], "SITE:INDEX"),
        (["hidden_states.2:7", "--corpus", "nowhere.txt"], "no corpus 'nowhere.txt'"),
        (["hidden_states.2:7", "--bos", "perhaps"], "auto, always or never"),
        (["hidden_states.2:7", "--top", "0"], "--top"),
        (["hidden_states.2:7", "--neuronpedia"], "--out"),
        (["hidden_states.2:7", "--corpus", "hf:x"], "hub"),
        ([], "UNIT"),
    ],
)
def test_mistakes_are_one_sentence(
    model: str, texts: str, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    given = options if "--corpus" in options else [*options, "--corpus", texts]
    assert expected in mistake(capsys, "observe", "--model", model, "--device", "cpu", *given)


def test_bad_files_are_one_sentence(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    (tmp_path / "a.jsonl").write_text('{"body": "x"}\n')
    for name, expected in {"empty.txt": "no text", "binary.txt": "not UTF-8", "a.jsonl": "--field"}.items():
        said = mistake(capsys, "observe", "hook_embed:1", "--model", model, "--corpus", str(tmp_path / name))
        assert expected in said


def test_ctrl_c_saves_what_was_done(model: str, tmp_path: Path, texts: str) -> None:
    rows = "".join(json.dumps({"text": f"the cat sat on the mat {k}" * 3}) + "\n" for k in range(20_000))
    (tmp_path / "long.jsonl").write_text(rows)
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "actmax",
        "observe",
        "hidden_states.2:7",
        "--model",
        model,
        "--device",
        "cpu",
    ]
    command += [
        "--window",
        "16",
        "--max-tokens",
        "0",
        "--corpus",
        str(tmp_path / "long.jsonl"),
        "--out",
        str(out),
    ]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    tokens = tmp_path / "cache" / "corpora"
    for _ in range(600):
        if list(tokens.glob("long*tokens*/manifest.json")):
            break
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert is_one_sentence(stderr), stderr
    data = json.loads((out / "result.json").read_text())
    assert data["complete"] is False
    assert 0 < data["corpus"]["tokens"] < data["corpus"]["corpus_tokens"]
    assert "was stopped" in (out / "report.html").read_text()
    assert "hidden_states.2:7" in stdout
