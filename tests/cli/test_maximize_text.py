"""``actmax maximize --method`` over real tokens: options, several methods, mistakes, kill and resume."""

from __future__ import annotations

import functools
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.command import environment, mistake
from tests.cli.test_maximize import interrupted
from tests.tiny import tiny_tokenizer
from tests.tiny_folder import tiny_folder

from actmax.cli.journals import journals_in
from actmax.cli.main import main
from actmax.results.compare import CompareResult
from actmax.results.maximize import MaximizeResult
from actmax.results.schema import schema_of

UNIT = "hidden_states.2:9"
FILES = {"result.json", "manifest.json", "tensors.safetensors", "report.html"}
COMPARED = FILES - {"tensors.safetensors"}
WORDS = "the cat sat on the mat and the dog ran to the sea where a red ship was waiting for the tide. "


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("corpus")
    for k in range(6):
        (folder / f"{k}.txt").write_text((WORDS[7 * k :] + WORDS[: 7 * k]) * 3, encoding="utf-8")
    return str(folder)


@pytest.fixture
def here(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in; the cache is elsewhere."""
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(model: str, corpus: str) -> list[str]:
    return ["maximize", UNIT, "--model", model, "--device", "cpu", "--corpus", corpus, "--length", "4"]


def run(command: list[str], *options: str, budget: int = 60) -> dict[str, Any]:
    """Into ``out``; what ``result.json`` holds."""
    assert main([*command, "--budget", str(budget), "--quiet", "--out", "out", *options]) == 0
    data: dict[str, Any] = json.loads(Path("out/result.json").read_text(encoding="utf-8"))
    return data


def timeless(data: Any) -> Any:
    """Without the numbers that a clock gave."""
    if isinstance(data, dict):
        return {key: timeless(value) for key, value in data.items() if key != "seconds"}
    return [timeless(item) for item in data] if isinstance(data, list) else data


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_method(command: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--method", "gcg", "--budget", "60", "--out", "out"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert names_in(here / "out") == FILES, "the journal is gone"
    assert "maximise last(hidden_states.2:9) of tiny, gcg" in said.out
    assert "In real text: " in said.out
    assert "out/report.html" in said.out
    data = json.loads((here / "out" / "result.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema_of("maximize")).validate(data)
    assert data["cost"]["sequences_scored"] == 60
    assert data["runs"][0]["along"]["read"] == 3
    assert MaximizeResult.load("out").to_json() == data
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    for title in (
        "What each token does",
        "Activation over the budget",
        "Active and likely",
    ):
        assert title in page


def test_budget_and_seed(command: list[str], here: Path) -> None:
    one = run(command, "--method", "random", budget=31)
    assert one["cost"]["sequences_scored"] == 31
    assert timeless(run(command, "--method", "random", budget=31)) == timeless(one)
    other = run(command, "--method", "random", "--seed", "1", budget=31)
    assert other["runs"][0]["ids"] != one["runs"][0]["ids"]


def test_the_text_around(command: list[str], here: Path) -> None:
    data = run(command, "--method", "gcg", "--prefix", "dog", "--suffix", " the cat")
    assert (data["settings"]["prefix"], data["settings"]["suffix"]) == ("dog", " the cat")
    row = data["runs"][0]["along"]
    assert "".join(row["tokens"][4:]) == " the cat"
    assert row["read"] == len(row["tokens"]) - 1
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    assert "It stands after “dog”" in page


def test_inside_the_chat_template(model: str, corpus: str, here: Path) -> None:
    """A model with a template that puts marks around a message."""
    copy = here / "chatty"
    tiny_folder(copy)
    settings = json.loads((copy / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["chat_template"] = "{% for m in messages %}[{{ m['content'] }}]{% endfor %} ran"
    (copy / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    begun = ["maximize", UNIT, "--device", "cpu", "--corpus", corpus, "--length", "4", "--model"]
    data = run([*begun, str(copy)], "--method", "random", "--chat")
    assert data["settings"]["chat"] is True
    assert "".join(data["runs"][0]["along"]["tokens"][4:]) == "] ran"
    assert main([*begun, model, "--method", "random", "--chat"]) == 2


def test_samples(command: list[str], here: Path) -> None:
    data = run(command, "--method", "gcg", "--samples", "3", budget=200)
    assert 1 < len(data["solutions"]) <= 3
    assert len({tuple(one["ids"]) for one in data["solutions"]}) == len(data["solutions"])
    assert "Distinct solutions" in (here / "out" / "report.html").read_text(encoding="utf-8")


def test_unreachable(command: list[str], here: Path) -> None:
    """After "t" the token "h" is not what a text gives ("th" is a token): only where it is asked for."""
    common = ("--method", "exhaustive", "--length", "1", "--prefix", "t", "--samples", "400")
    encode = functools.partial(tiny_tokenizer().encode, add_special_tokens=False)
    survive: dict[bool, list[bool]] = {}
    for free in (False, True):
        data = run(command, *common, *(["--unreachable"] if free else []), budget=400)
        assert data["settings"]["reachable"] is not free
        survive[free] = [
            encode("t" + one["text"]) == [*encode("t"), *one["ids"]] for one in data["solutions"]
        ]
    assert len(survive[False]) > 100
    assert all(survive[False])
    assert not all(survive[True])


def test_sinks_and_position_0(command: list[str], here: Path) -> None:
    common = ("--method", "random", "--bos", "never", "--positions", "mean")
    left = run(command, *common)
    assert left["runs"][0]["along"]["activations"][0] is None
    kept = run(command, *common, "--include-sinks")
    assert all(value is not None for value in kept["runs"][0]["along"]["activations"])


def test_minimise(command: list[str], here: Path) -> None:
    low, high = (run(command, "--method", "gcg", *more) for more in (["--minimize"], []))
    assert low["minimize"]
    assert low["best"]["activation"] < high["best"]["activation"]
    assert low["corpus_maximum"]["value"] < high["corpus_maximum"]["value"]


def test_probable_text(command: list[str], here: Path) -> None:
    free = run(command, "--method", "gcg", budget=120)
    limit = min(one["cross_entropy"] for one in free["frontier"]) + 0.5
    data = run(command, "--method", "gcg", "--max-cross-entropy", f"{limit}", budget=120)
    assert data["runs"][0]["cross_entropy"] <= limit
    priced = run(command, "--method", "gcg", "--fluency", "0.5", "--shortest", "2", budget=120)
    assert "0.5 · nats per token" in priced["objective"]
    assert all(2 <= len(one["ids"]) <= 4 for one in priced["runs"])


def test_each_position(command: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--method", "gcg", "--positions", "each", "--budget", "80", "--out", "out"]) == 0
    said = capsys.readouterr().out
    assert "maximise each position(hidden_states.2:9)" in said
    assert "position" in said
    assert names_in(here / "out") == FILES, "neither journals nor the positions' folders are left"
    data = json.loads((here / "out" / "result.json").read_text(encoding="utf-8"))
    assert data["positions"] == "each"
    assert [run["position"] for run in data["runs"]] == [0, 1, 2, 3]
    assert [run["along"]["read"] for run in data["runs"]] == [0, 1, 2, 3]
    assert "All positions" in (here / "out" / "report.html").read_text(encoding="utf-8")
    assert MaximizeResult.load("out").to_json() == data
    one = run(command, "--method", "gcg", "--positions", "2", budget=20)
    assert one["positions"] == "2"
    assert one["runs"][0]["ids"] == data["runs"][2]["ids"]


def test_vectors_beside_real_text(command: list[str], here: Path) -> None:
    assert main([*command, "--steps", "3", "--quiet", "--out", "out"]) == 0
    data = json.loads((here / "out" / "result.json").read_text(encoding="utf-8"))
    known = data["corpus_maximum"]
    assert known["n_tokens"] > 100
    assert len(known["sha256"]) == 64
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    assert known["sha256"][:12] in page
    plain = [word for k, word in enumerate(command) if "--corpus" not in (word, command[k - 1])]
    assert main([*plain, "--steps", "3", "--quiet", "--out", "bare"]) == 0
    assert json.loads((here / "bare" / "result.json").read_text())["corpus_maximum"] is None
    assert "not measured; name a corpus with --corpus" in (here / "bare" / "report.html").read_text()


# What follows are comparisons.


TWO = ("--method", "random", "--method", "gcg")


def test_two_methods(command: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, *TWO, "--budget", "60", "--out", "out"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "Of 2 methods" in said.out
    assert "out/report.html" in said.out
    assert names_in(here / "out") == COMPARED | {"random", "gcg"}
    data = json.loads((here / "out" / "result.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema_of("compare")).validate(data)
    assert [one["method"] for one in data["results"]] == ["random", "gcg"]
    for one in data["results"]:
        folder = here / "out" / one["method"]
        assert names_in(folder) == FILES
        assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == one
    loaded = CompareResult.load("out")
    assert loaded.to_json() == data
    assert loaded.best.method == data["best"]["method"]
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    for title in ("Activation over the budget", "The best text of each method", "at each likelihood"):
        assert title in page
    assert data["corpus_maximum"]["sha256"][:12] in page


def test_json_is_all_that_stdout_holds(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *TWO, "--budget", "40", "--json"]) == 0
    said = capsys.readouterr()
    data = json.loads(said.out)
    assert data["schema"] == "actmax.compare/1"
    assert said.err == ""
    assert names_in(here) == set(), "without --out nothing is written"


def test_methods_at_each_position(command: list[str], here: Path) -> None:
    data = run(command, *TWO, "--positions", "each", budget=40)
    assert data["positions"] == "each"
    assert all([row["position"] for row in one["runs"]] == [0, 1, 2, 3] for one in data["results"])
    assert names_in(here / "out" / "gcg") == FILES


def test_free_vectors_and_tokens(command: list[str], here: Path) -> None:
    data = run(command, "--method", "soft", "--method", "random", "--steps", "5")
    assert [one["method"] for one in data["results"]] == ["soft-ascent", "random"]
    assert "vectors reach" in (here / "out" / "report.html").read_text(encoding="utf-8")


# What follows are mistakes.


MISTAKES: list[tuple[list[str], str]] = [
    (["--method", "gcg", "--budget", "0"], "The budget is 0"),
    (["--method", "gcg", "--budget", "many"], "Invalid value for '--budget'"),
    (["--method", "gcg", "--steps", "3"], "has no setting 'steps'"),
    (["--method", "gcg", "--max-cross-entropy", "0"], "largest cross-entropy is 0"),
    (["--method", "gcg", "--max-cross-entropy", "0.01"], "raise --max-cross-entropy above 0.01"),
    (["--method", "gcg", "--fluency", "-1"], "The fluency penalty is -1"),
    (["--method", "gcg", "--samples", "0"], "The number of samples is 0"),
    (["--method", "gcg", "--shortest", "9"], "The shortest length is 9; give 1 to 4"),
    (["--method", "gcg", "--length", "0"], "The length is 0"),
    (["--method", "gcg", "--prefix", "cat " * 70], "reads at most 64"),
    (["--method", "gcg", "--chat"], "has no chat template"),
    (["--method", "gcg", "--positions", "first"], "one position's number, not 'first'"),
    (["--method", "gcg", "--positions", "4"], "Position 4 is not one of those"),
    (["--method", "gcg", "--positions", "-1"], "one position's number, not '-1'"),
    (["--method", "gcg", "--positions", "each", "--budget", "3"], "less than one for each of 4 positions"),
    (["--positions", "each"], "Free vectors are read as mean, last, max, not 'each'"),
    (["--method", "gcg", "--corpus", "nowhere.txt"], "nowhere.txt"),
    (["--method", "gcg", "--atlas", "nowhere"], "nowhere"),
    (["--atlas", "nowhere", "--steps", "2"], "nowhere"),
    (["--method", "gcg", "--also", "2*hidden_states.2:99"], "out of range"),
    (["--method", "exhaustive"], "'exhaustive' searches one token; use --length 1"),
    ([*TWO, "--method", "gcg"], "The method gcg is named twice"),
    (["--method", "text", "--method", "hybrid"], "The method hybrid is named twice"),
    ([*TWO, "--method", "hope"], "There is no method 'hope'"),
    ([*TWO, "--method", "exhaustive"], "'exhaustive' searches one token"),
    ([*TWO, "--steps", "3"], "None of the methods has a setting 'steps'"),
    ([*TWO, "--max-cross-entropy", "0.01"], "raise --max-cross-entropy above 0.01"),
    ([*TWO, "--length", "70"], "reads at most 64"),
]


@pytest.mark.parametrize(("options", "said"), MISTAKES, ids=lambda value: "=".join(value)[:50])
def test_mistakes(
    options: list[str], said: str, command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one sentence with the mend, and nothing left behind."""
    import jaxtyping

    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        assert said in mistake(capsys, *command, "--out", "a/out", *options)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    assert names_in(here) == set()


def test_a_mistake_leaves_what_was_there(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(command, "--method", "random")
    before = {path.name: path.read_bytes() for path in (here / "out").iterdir()}
    mistake(capsys, *command, "--method", "gcg", "--out", "out", "--max-cross-entropy", "0.01")
    assert {path.name: path.read_bytes() for path in (here / "out").iterdir()} == before


# What follows is kill and resume.


def killed(out: Path, journal: Path, size: int, *arguments: str) -> None:
    """A real process, killed with SIGKILL when a journal has grown to so many bytes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "actmax", *arguments, "--out", str(out)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        began = time.monotonic()
        while not (journal.exists() and journal.stat().st_size > size):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() - began < 120, "the journal does not grow"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("positions", ["last", "each"])
def test_a_comparison_that_was_killed_is_resumed(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str], positions: str
) -> None:
    """The first method had ended, the second was in the middle, the third had not begun."""
    options = ["--positions", positions, "--budget", "600"]
    options += [word for name in ("random", "gcg", "hotflip") for word in ("--method", name)]
    folder = here / "killed" / "gcg" / ("" if positions == "last" else "position-1")
    killed(here / "killed", folder / "search.journal", 4000, *command, *options)
    assert not (here / "killed" / "report.html").exists()
    assert (here / "killed" / "random" / "result.json").exists()
    assert not (here / "killed" / "gcg" / "result.json").exists()
    assert not (here / "killed" / "hotflip").exists()
    assert "was written with seed 0" in mistake(
        capsys, *command, *options, "--resume", "killed", "--seed", "1"
    )
    assert main([*command, *options, "--quiet", "--resume", "killed"]) == 0
    assert main([*command, *options, "--quiet", "--out", "whole"]) == 0
    results = [
        timeless(json.loads((here / name / "result.json").read_text(encoding="utf-8")))
        for name in ("killed", "whole")
    ]
    assert results[0] == results[1]
    assert names_in(here / "killed") == names_in(here / "whole")
    assert journals_in([here / "killed" / name for name in ("random", "gcg", "hotflip")]) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_one_search_that_was_killed_is_resumed(command: list[str], here: Path) -> None:
    options = ["--method", "hybrid", "--budget", "900"]
    killed(here / "killed", here / "killed" / "search.journal", 4000, *command, *options)
    assert names_in(here / "killed") == {"search.journal"}
    assert main([*command, *options, "--quiet", "--resume", "killed"]) == 0
    assert main([*command, *options, "--quiet", "--out", "whole"]) == 0
    one, two = (json.loads((here / name / "result.json").read_text()) for name in ("killed", "whole"))
    assert timeless(one) == timeless(two)
    assert names_in(here / "killed") == FILES


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT and a pseudo-terminal")
def test_ctrl_c_leaves_what_can_be_resumed(command: list[str], here: Path) -> None:
    options = ["--method", "gcg", "--budget", "40000"]
    code, _, err = interrupted(*command, *options, "--out", "out")
    assert code == 130
    assert "Traceback" not in err
    assert "actmax: Interrupted after" in err
    assert "and --resume out goes on" in err
    assert names_in(here / "out") == FILES | {"search.journal"}
    found = MaximizeResult.load("out")
    assert not found.complete
    assert 0 < found.cost.sequences_scored < 40_000
    assert math.isfinite(found.best.activation)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT and a pseudo-terminal")
def test_ctrl_c_in_a_comparison(command: list[str], here: Path) -> None:
    options = ["--method", "gcg", "--method", "random", "--budget", "40000"]
    code, _, err = interrupted(*command, *options, "--out", "out")
    assert code == 130
    assert "actmax: Interrupted after 0 of 2 methods" in err
    assert "and --resume out goes on" in err
    assert names_in(here / "out") == COMPARED | {"gcg"}
    assert names_in(here / "out" / "gcg") == FILES | {"search.journal"}
    found = CompareResult.load("out")
    assert not found.complete
    assert [one.method for one in found.results] == ["gcg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--method", "gcg", "--resume", "out"], "There is no search to resume in 'out'; leave --resume out"),
        ([*TWO, "--resume", "out"], "There is no search to resume in 'out'"),
        (["--resume", "out"], "Only token methods can be resumed"),
        (["--method", "gcg", "--resume", "out", "--out", "other"], "name two folders; give one of them"),
    ],
)
def test_nothing_to_resume(
    options: list[str], said: str, command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in mistake(capsys, *command, *options)
    assert names_in(here) == set()
