"""``actmax maximize --method`` over real tokens: options, several methods, mistakes."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import jsonschema
import pytest
from tests.cli.command import mistake
from tests.cli.text_command import COMPARED, FILES, TWO, UNIT, names_in, run, timeless
from tests.tiny import tiny_tokenizer
from tests.tiny_folder import tiny_folder

from actmax.cli.main import main
from actmax.results.compare import CompareResult
from actmax.results.maximize import MaximizeResult
from actmax.results.schema import schema_of


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
    assert ">optimum<" in (here / "out" / "report.html").read_text(encoding="utf-8")


# What follows are mistakes.


MISTAKES: list[tuple[list[str], str]] = [
    (["--method", "gcg", "--budget", "0"], "--budget must be at least 1 (got 0)"),
    (["--method", "gcg", "--budget", "many"], "--budget must be a whole number (got 'many')"),
    (["--method", "gcg", "--steps", "3"], "has no setting 'steps'"),
    (["--method", "gcg", "--max-cross-entropy", "0"], "--max-cross-entropy must be more than 0 (got 0.0)"),
    (["--method", "gcg", "--max-cross-entropy", "0.01"], "raise --max-cross-entropy above 0.01"),
    (["--method", "gcg", "--fluency", "-1"], "--fluency must be at least 0 (got -1.0)"),
    (["--method", "gcg", "--samples", "0"], "--samples must be at least 1 (got 0)"),
    (["--method", "gcg", "--shortest", "9"], "The shortest length is 9; give 1 to 4"),
    (["--method", "gcg", "--length", "0"], "--length must be at least 1 (got 0)"),
    (["--method", "gcg", "--prefix", "cat " * 70], "reads at most 64"),
    (["--method", "gcg", "--chat"], "has no chat template"),
    (["--method", "gcg", "--positions", "first"], "choose mean, last, max, each or a whole number"),
    (["--method", "gcg", "--positions", "4"], "Position 4 is not one of those"),
    (["--method", "gcg", "--positions", "-1"], "Positions are counted from 0 after the prefix (got -1)"),
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
