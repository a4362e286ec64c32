"""The journal: a search that was killed ends as if it had not been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.search.planted import tiny_problem

from actmax.errors import ActmaxError
from actmax.search.journal import NAME, Journal, question_of
from actmax.search.meter import Spent
from actmax.search.method import Step
from actmax.search.registry import method_class, token_methods
from actmax.search.run import Outcome, run
from actmax.search.scorer import Scorer

ROOT = Path(__file__).parents[2]
METHODS = token_methods()


def search(name: str, folder: Path | None, **options: Any) -> Outcome:
    problem = tiny_problem(
        length=1 if name == "exhaustive" else 4, unit=options.pop("unit", "blocks.1.hook_resid_post:3")
    )
    return run(method_class(name)(), problem, 60 if name == "pez" else 160, resume=folder, **options)


def told(outcome: Outcome) -> Any:
    """Everything but the seconds."""
    cost = outcome.cost
    counts = (cost.forward_tokens, cost.backward_tokens, cost.sequences_scored)
    return outcome.restarts, outcome.solutions, outcome.frontier, outcome.candidates, counts


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("at", [0.3, 0.8])
def test_a_cut_journal_ends_the_same(name: str, at: float, tmp_path: Path) -> None:
    whole = search(name, tmp_path)
    journal = tmp_path / NAME
    content = journal.read_bytes()
    journal.write_bytes(content[: int(len(content) * at)])  # in the middle of a record, most likely
    assert told(search(name, tmp_path)) == told(whole)
    assert told(search(name, None)) == told(whole)


def test_the_model_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = search("gcg", tmp_path)

    def never(*given: object, **named: object) -> None:
        raise AssertionError("the model was run")

    monkeypatch.setattr("actmax.search.engine.read", never)
    assert told(search("gcg", tmp_path)) == told(whole)


KILLED = """
import sys, time
from pathlib import Path
from tests.search.test_journal import search

def slowly(restart, step, scorer):
    print(step.index, flush=True)
    time.sleep(0.02)

search(sys.argv[1], Path(sys.argv[2]), on_step=slowly)
"""


@pytest.mark.parametrize("name", ["gcg", "hotflip"])
def test_sigkill_and_resume(name: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, name, str(tmp_path)], stdout=subprocess.PIPE, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    size = (tmp_path / NAME).stat().st_size
    steps: list[int] = []
    resumed = search(name, tmp_path, on_step=lambda restart, step, scorer: steps.append(step.index))
    assert (tmp_path / NAME).stat().st_size > size
    assert told(resumed) == told(search(name, None))


def test_ctrl_c_and_resume(tmp_path: Path) -> None:
    def stop(restart: int, step: Step, scorer: Scorer) -> None:
        if scorer.cost.sequences_scored > 80:
            raise KeyboardInterrupt

    stopped = search("gcg", tmp_path, on_step=stop)
    assert not stopped.complete
    assert told(search("gcg", tmp_path)) == told(search("gcg", None))


def test_another_search_is_refused(tmp_path: Path) -> None:
    search("gcg", tmp_path)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"seed": 1}, "was written with seed 0 and not 1"),
        ({"restarts": 2}, "restarts None and not 2"),
        ({"unit": "blocks.1.hook_resid_post:4"}, "unit 'blocks.1.hook_resid_post:3' and not"),
    ]
    for change, words in wrong:
        with pytest.raises(ActmaxError, match=words):
            search("gcg", tmp_path, **change)
    with pytest.raises(ActmaxError, match="method 'gcg' and not 'random'"):
        search("random", tmp_path)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path, cost = tmp_path / "a" / NAME, Spent(1, 2, 3, 0.5)
    answer = {"x": torch.randn(2, 3), "n": torch.arange(4), "none": torch.zeros(0, dtype=torch.float64)}
    journal = Journal(path, {"seed": 1})
    journal.add("q:1", answer, cost, cut=True)
    journal.close()
    with path.open("ab") as file:
        file.write(b"AMJ1 torn")
    journal = Journal(path, {"seed": 1})
    found = journal.next("q:1")
    assert found is not None
    assert found[1:] == (cost, True)
    for name, value in answer.items():
        assert torch.equal(found[0][name], value)
        assert found[0][name].dtype == value.dtype
    assert journal.next("q:2") is None
    journal.add("q:2", {}, cost)
    journal.close()
    journal = Journal(path, {"seed": 1})
    assert journal.replaying
    with pytest.raises(ActmaxError, match="went another way"):
        journal.next("q:2")
    journal.close()


def test_flipped_bytes_are_seen(tmp_path: Path) -> None:
    path = tmp_path / NAME
    journal = Journal(path, {})
    journal.add("q", {"x": torch.ones(100)}, Spent())
    journal.close()
    content = bytearray(path.read_bytes())
    content[-60] ^= 1
    path.write_bytes(bytes(content))
    journal = Journal(path, {})
    assert not journal.replaying
    journal.close()


def test_questions_differ() -> None:
    ids = torch.arange(6)
    made = {
        question_of("ids", ids),
        question_of("ids", ids.reshape(2, 3)),
        question_of("ids", ids.int()),
        question_of("next", ids),
        question_of("ids", ids, 1),
        question_of("ids", ids, True),
        question_of("ids", ids, None),
    }
    assert len(made) == 7
    assert question_of("ids", ids) == question_of("ids", ids.clone())
