"""``actmax maximize``: what it prints and writes, and what it says to every mistake."""

from __future__ import annotations

import json
import math
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import jsonschema
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.assets.small_disk import small_disk
from tests.cli.command import actmax_process, environment, mistake
from tests.tiny_folder import tiny_folder

from actmax.cli.main import main
from actmax.results.maximize import MaximizeResult
from actmax.results.schema import schema_of
from actmax.search import run as running

UNIT = "hidden_states.2:9"
QUICK = ("--steps", "8", "--length", "4", "--device", "cpu")
FILES = {"result.json", "manifest.json", "tensors.safetensors", "report.html"}

CONTRACT = """
{"schema": "actmax.maximize/1", "unit": "hidden_states.4:90", "site": "blocks.3.hook_resid_post", "index": 90,
 "model": "smollm2-135m", "method": "soft-ascent", "seed": 0, "positions": "mean", "settings": {},
 "runs": [{"restart": 0, "activation_initial": 0.0, "activation_final": 0.0,
           "trajectory": {"step": [0], "activation": [0.0], "gradient_norm": [0.0],
                          "neighbor_activation": [0.0]},
           "ids": [0], "tokens": [""], "text": "", "cosine": [0.0],
           "activation_of_text": 0.0, "retokenizes": true, "cross_entropy": 0.0}],
 "best": {"restart": 0, "activation": 0.0, "text": ""},
 "cost": {"forward_tokens": 0, "backward_tokens": 0, "sequences_scored": 0, "seconds": 0.0}}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As users have it: the types are not checked while it runs."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def of_the_kind(found: Any, wanted: Any, where: str = "result.json") -> None:
    """Every name of the contract is there, with a value of its kind."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), where
        for key, value in wanted.items():
            assert key in found, f"{where}.{key}"
            of_the_kind(found[key], value, f"{where}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(found, list), where
        assert found, where
        for i, item in enumerate(found):
            of_the_kind(item, wanted[0], f"{where}[{i}]")
    else:
        kinds = (int, float) if isinstance(wanted, float) else (type(wanted),)
        assert type(found) in kinds, f"{where} is {found!r}"


def without_seconds(folder: Path) -> bytes:
    """``result.json`` but for the one number that a clock gave."""
    lines = (folder / "result.json").read_bytes().splitlines()
    kept = [line for line in lines if b'"seconds":' not in line]
    assert len(kept) == len(lines) - 1
    return b"\n".join(kept)


def test_what_is_written(model: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maximize", UNIT, "--model", model, "--restarts", "3", "--out", "a/b", *QUICK]) == 0
    said = capsys.readouterr()
    out = here / "a" / "b"
    assert {path.name for path in out.iterdir()} == FILES
    assert "a/b/report.html" in said.out
    assert said.err == ""
    data = json.loads((out / "result.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema_of("maximize")).validate(data)
    of_the_kind(data, json.loads(CONTRACT))
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema_of("manifest")).validate(manifest)
    assert (manifest["family"], manifest["dtype"], manifest["device"]) == ("llama", "float32", "cpu")
    assert manifest["seed"] == 0
    assert load_file(out / "tensors.safetensors")["optimum"].shape == (3, 4, 32)
    assert MaximizeResult.load(out).to_json() == data
    page = (out / "report.html").read_text(encoding="utf-8")
    assert len(page) < 2_000_000
    assert UNIT in page


def test_the_table_and_the_conclusion(model: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maximize", UNIT, "--model", model, "--restarts", "2", *QUICK]) == 0
    said = capsys.readouterr().out
    assert "maximise mean(hidden_states.2:9) - 0.01 · Σθ² of tiny" in said
    assert said.count("*") >= 1, "the best restart is marked"
    assert list(here.iterdir()) == [], "without --out nothing is written"


def test_json_is_all_that_stdout_holds(model: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maximize", UNIT, "--model", model, "--json", "--out", "out", *QUICK]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == json.loads((here / "out" / "result.json").read_text(encoding="utf-8"))
    assert said.err == ""


def test_quiet_is_quiet(model: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maximize", UNIT, "--model", model, "--quiet", "--out", "out", *QUICK]) == 0
    assert capsys.readouterr() == ("", "")
    assert {path.name for path in (here / "out").iterdir()} == FILES


def test_the_same_command_gives_the_same_bytes(model: str, here: Path) -> None:
    """In a process of its own and in this one."""
    command = ["maximize", UNIT, "--model", model, "--restarts", "3", "--seed", "5", *QUICK]
    done = actmax_process(*command, "--out", "one")
    assert (done.returncode, done.stderr) == (0, "")
    assert main([*command, "--out", "two", "--quiet"]) == 0
    assert main([*command[:-1], "cpu", "--seed", "6", "--out", "three", "--quiet"]) == 0
    one, two, three = (without_seconds(here / name) for name in ("one", "two", "three"))
    assert one == two
    assert one != three
    tensors = [(here / name / "tensors.safetensors").read_bytes() for name in ("one", "two")]
    assert tensors[0] == tensors[1]
    manifests = [json.loads((here / name / "manifest.json").read_text()) for name in ("one", "two")]
    assert manifests[0]["command"].startswith("actmax maximize hidden_states.2:9 --model")
    for manifest in manifests:
        del manifest["created"], manifest["command"]
    assert manifests[0] == manifests[1]


def test_a_result_is_replaced(model: str, here: Path) -> None:
    for seed in ("1", "2"):
        assert main(["maximize", UNIT, "--model", model, "--seed", seed, "--out", "out", "-q", *QUICK]) == 0
    assert MaximizeResult.load("out").seed == 2
    assert {path.name for path in (here / "out").iterdir()} == FILES


@pytest.mark.parametrize(
    "options",
    [
        ["--minimize"],
        ["--positions", "last"],
        ["--positions", "max"],
        ["--method", "soft"],
        ["--shell"],
        ["--shell-penalty", "0.5"],
        ["--init-text", " the cat"],
        ["--also", "-0.5*hidden_states.2:10", "--also", "2*hook_embed:1"],
        ["--metric", "l2"],
        ["--nearest", "dot"],
        ["--bos", "always"],
        ["--steps", "0"],
        ["--dtype", "float64"],
        ["--l2", "0"],
    ],
)
def test_options(model: str, here: Path, options: list[str]) -> None:
    assert main(["maximize", UNIT, "--model", model, "-q", "--out", "out", *QUICK, *options]) == 0
    data = json.loads((here / "out" / "result.json").read_text(encoding="utf-8"))
    assert data["method"] == "soft-ascent"
    assert data["complete"]
    assert data["minimize"] == ("--minimize" in options)
    if "--positions" in options:
        assert data["positions"] == options[-1]
    if "--init-text" in options:
        assert data["settings"]["length"] == 2
    if "--also" in options:
        assert "0.5 · mean(hidden_states.2:10) + 2 · mean(hook_embed:1)" in data["objective"]


# What follows are mistakes.


MISTAKES: list[tuple[list[str], str]] = [
    (["--method", "hope"], "There is no method 'hope'"),
    (["UNIT", "hidden_states.2"], "is not a unit; write SITE:INDEX"),
    (["UNIT", "hidden_stats.2:9"], "has no site 'hidden_stats.2'"),
    (["UNIT", "blocks.1.hook_resid_pots:9"], "nearest are blocks.1.hook_resid_post"),
    (["UNIT", "blocks.9.hook_resid_post:9"], "is out of range; tiny has 0 to 2"),
    (["UNIT", "hidden_states.9:9"], "is out of range; tiny has 0 to 3"),
    (["UNIT", "hidden_states.2:32"], "is out of range; tiny has 0 to 31"),
    (["UNIT", "hidden_states.2:-1"], "is negative; tiny counts from 0 to 31"),
    (["UNIT", "hidden_states.-1:3"], "is negative; tiny counts from 0 to 3"),
    (["UNIT", "hidden_states.2:@nothing.safetensors"], "There is no file 'nothing.safetensors'"),
    (["UNIT", "hidden_states.2:@narrow.safetensors"], "has 31 numbers"),
    (["--length", "0"], "--length must be at least 1 (got 0)"),
    (["--length", "-3"], "--length must be at least 1 (got -3)"),
    (["--length", "65"], "reads at most 64 positions"),
    (["--length", "five"], "--length must be a whole number (got 'five')"),
    (["--restarts", "0"], "--restarts must be at least 1 (got 0)"),
    (["--steps", "-1"], "--steps must be at least 0 (got -1)"),
    (["--steps", "inf"], "--steps must be a whole number (got 'inf')"),
    (["--steps", "1.5"], "--steps must be a whole number (got '1.5')"),
    (["--lr", "0"], "--lr must be more than 0 (got 0.0)"),
    (["--lr", "-0.1"], "--lr must be more than 0 (got -0.1)"),
    (["--lr", "nan"], "--lr must be a finite number (got nan)"),
    (["--lr", "inf"], "--lr must be a finite number (got inf)"),
    (["--l2", "-1"], "--l2 must be at least 0 (got -1.0)"),
    (["--l2", "nan"], "--l2 must be a finite number (got nan)"),
    (["--shell-penalty", "inf"], "--shell-penalty must be a finite number (got inf)"),
    (["--also", "hidden_states.2:3"], "is not WEIGHT*UNIT; write for example"),
    (["--also", "x*hidden_states.2:3"], "is not WEIGHT*UNIT"),
    (["--also", "2*hidden_states.2:99"], "out of range"),
    (["--also", "nan*hidden_states.2:3"], "The weight of hidden_states.2:3 is nan"),
    (["--metric", "manhattan"], "Unknown metric 'manhattan'; choose cosine, l2 or dot"),
    (["--nearest", "manhattan"], "Unknown metric 'manhattan'; choose cosine, l2 or dot"),
    (["--positions", "first"], "Unknown positions 'first'; choose mean, last, max, each or a whole number"),
    (["--bos", "perhaps"], "Unknown bos 'perhaps'; choose auto, always or never"),
    (["--seed", "-1"], "--seed must be at least 0 (got -1)"),
    (["--init-text", ""], "has no tokens"),
    (["--init-text", "the cat " * 40], "reads at most 64"),
    (["--device", "gpu"], "The device 'gpu' is not known"),
    (["--dtype", "float31"], "did you mean float32?"),
    (["--model", "no/such/place"], "no/such/place"),
    (["--out", "file"], "is a file, not a folder; give --out a folder"),
    (["--out", "file/below"], "is a file"),
    (["--nonsense"], "No such option: --nonsense"),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("options", "said"), MISTAKES, ids=lambda value: "=".join(value)[:40])
def test_mistakes(
    options: list[str], said: str, model: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one sentence with the mend, and nothing left behind."""
    (here / "file").write_text("in the way")
    save_file({"v": torch.ones(31)}, here / "narrow.safetensors")
    unit = options[1] if options[0] == "UNIT" else UNIT
    more = [] if options[0] == "UNIT" else options
    command = ["maximize", unit, "--model", model, "--steps", "1000000", "--out", "out", *more]
    assert said in mistake(capsys, *command)
    assert sorted(path.name for path in here.iterdir()) == ["file", "narrow.safetensors"]
    assert (here / "file").read_text() == "in the way"


def test_no_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Missing argument 'UNIT'" in mistake(capsys, "maximize")


def test_a_folder_that_cannot_be_written_to(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("maximize", UNIT, "--model", model, *QUICK, "--out")
    with small_disk(tmp_path / "disk", "20m") as disk:
        done = subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"a disk cannot be made read-only here: {done.stderr.decode().strip()}")
        said = mistake(capsys, *command, str(disk / "out"))
    assert "cannot be written to; change its permissions, or give --out another folder" in said


def test_a_disk_that_is_full(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said before the work begins."""
    command = ("maximize", UNIT, "--model", model, "--steps", "1000000", "--out")
    with small_disk(tmp_path / "disk", "3m") as disk:
        said = mistake(capsys, *command, str(disk / "out"))
        assert list(disk.iterdir()) == []
    assert "MB are needed; free some, or give --out a folder on another disk" in said


def test_a_disk_that_fills_up_meanwhile(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", "16m") as disk:

        def fill(*arguments: Any, **more: Any) -> running.Outcome:
            (disk / "filler").write_bytes(
                bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize - 50_000)
            )
            return running.run(*arguments, **more)

        monkeypatch.setattr("actmax.api.vectors.run", fill)
        said = mistake(capsys, "maximize", UNIT, "--model", model, *QUICK, "--out", str(disk / "out"))
        assert [path.name for path in disk.iterdir()] == ["filler"]
    assert "No space is left" in said
    assert "nothing was written" in said


# What follows is Ctrl-C.


def interrupted(*arguments: str) -> tuple[int, str, str]:
    """A real process on a terminal, which gets a real SIGINT once its progress line shows the search."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "actmax", *arguments],
        env=environment({"TERM": "xterm", "COLUMNS": "100"}),
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    )
    os.close(slave)
    seen = b""
    try:
        while b"activation" not in seen:
            seen += os.read(master, 4096)
        process.send_signal(signal.SIGINT)
        while chunk := _read(master):
            seen += chunk
        assert process.stdout is not None
        out = process.stdout.read()
        return process.wait(timeout=60), out, seen.decode()
    finally:
        process.kill()
        process.communicate()
        os.close(master)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so when the other side has gone
        return b""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT and a pseudo-terminal")
def test_ctrl_c_saves_what_was_done(model: str, here: Path) -> None:
    code, out, err = interrupted(
        "maximize", UNIT, "--model", model, "--steps", "1000000", "--restarts", "2", "--json", "--out", "out"
    )
    assert code == 130
    assert "Traceback" not in err
    assert "actmax: Interrupted after" in err
    assert "what was done is in 'out'" in err
    assert {path.name for path in (here / "out").iterdir()} == FILES
    data = json.loads((here / "out" / "result.json").read_text(encoding="utf-8"))
    assert json.loads(out) == data
    assert data["complete"] is False
    jsonschema.Draft202012Validator(schema_of("maximize")).validate(data)
    done = data["runs"][0]["trajectory"]["step"][-1]
    assert 0 <= done < 1_000_000
    assert f"Interrupted after {done} steps" in err
    result = MaximizeResult.load("out")
    assert (result.complete, len(result.runs)) == (False, 2)
    assert math.isfinite(result.best_run.activation_of_ids), "the best one was decoded"
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    assert "interrupted" in page.lower()


@pytest.mark.real
def test_the_contract_on_the_default_model(here: Path) -> None:
    command = ["maximize", "hidden_states.4:90", "--steps", "20", "--restarts", "2"]
    done = actmax_process(*command, "--json", "--out", "one")
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert data == json.loads((here / "one" / "result.json").read_text(encoding="utf-8"))
    contract = json.loads(CONTRACT)
    of_the_kind(data, contract)
    fixed = ("schema", "unit", "site", "index", "model", "method", "seed", "positions")
    assert {name: data[name] for name in fixed} == {name: contract[name] for name in fixed}
    assert {"length": 5, "steps": 20, "lr": 0.001, "l2": 0.01, "restarts": 2}.items() <= data[
        "settings"
    ].items()
    assert [run["restart"] for run in data["runs"]] == [0, 1]
    for run in data["runs"]:
        assert run["trajectory"]["step"] == list(range(21))
        lengths = {len(values) for values in run["trajectory"].values()}
        assert lengths == {21}
        assert len(run["ids"]) == len(run["tokens"]) == len(run["cosine"]) == 5
        assert run["text"] == "".join(run["tokens"]) or "\ufffd" in "".join(run["tokens"])
        assert run["activation_final"] > run["activation_initial"]
        assert run["trajectory"]["activation"][-1] == pytest.approx(run["activation_final"], rel=1e-3)
        assert run["cross_entropy"] > 0
    assert data["cost"]["forward_tokens"] == data["cost"]["backward_tokens"] == 21 * 2 * 5
    assert data["cost"]["sequences_scored"] == 42
    assert data["best"]["activation"] == max(run["activation_final"] for run in data["runs"])
    manifest = json.loads((here / "one" / "manifest.json").read_text(encoding="utf-8"))
    assert (
        manifest["command"] == "actmax maximize hidden_states.4:90 --steps 20 --restarts 2 --json --out one"
    )
    assert len(manifest["sha256"]) == len(manifest["tokenizer_sha256"]) == 64
    assert main([*command, "--quiet", "--out", "two"]) == 0
    assert without_seconds(here / "one") == without_seconds(here / "two")
