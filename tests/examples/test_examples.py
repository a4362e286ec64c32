"""Every example runs on the default model, says five things, draws a picture, and finds what it teaches."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actmax.dictionaries.load import load_dictionary

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parents[2] / "examples"

CLAIMS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "hooks": lambda n: n["difference"] == 0.0 and n["first"] > n["rest"],
    "hidden_states": lambda n: n["inner"] == 0.0 and n["named"] == 0.0 and n["last"] > 100,
    "book_maximum": lambda n: n["z"] > 3,
    "reproducibility": lambda n: n["same"] and n["spread"] < 0.3 and n["alike"] < 0.5,
    "grammar_tuning": lambda n: n["significant"] > 10 and n["concordance"] > 0.6 and abs(n["d"]) > 1,
    "context_modulation": lambda n: (
        n["at_embedding"] < 1e-5 and n["largest"] > 0.5 and n["ratio"] > 1.5 and n["longer"] > 3
    ),
    "token_length": lambda n: n["plain"] > n["partial"] and n["both"] < -0.3,
    "multi_token_words": lambda n: n["probes"]["last"] > n["probes"]["first"],
    "category_tuning": lambda n: n["significant"] > 0 and n["same_sign"] > 0.8,
    "logistic_vs_ttest": lambda n: abs(n["level"]["t"] - 0.05) < 0.02 and n["agree"] > 0.98,
    "proper_nouns": lambda n: n["share"] > 0.2 and n["concordance"] > 0.5 and n["accuracy"] > 0.85,
    "negation": lambda n: n["words"] > 0.2 and n["ends"] > 0.2 and n["concordance"] > 0.2,
    "negation_qkv": lambda n: min(n["share"].values()) > 0.1,
}


@pytest.fixture(autouse=True)
def examples_can_be_imported() -> Iterator[None]:
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def test_every_example_is_tested() -> None:
    assert set(CLAIMS) == {path.stem for path in FOLDER.glob("*.py")} - {"lesson", "train_dictionary"}


def test_a_dictionary_is_trained_saved_and_read_back(tmp_path: Path) -> None:
    """On 2,000 tokens: no more than that the file says what the training asked for."""
    few = ["--max-tokens", "2000", "--latents", "64", "--k", "4", "--epochs", "1", "--batch", "256"]
    command = [sys.executable, str(FOLDER / "train_dictionary.py"), "--out", str(tmp_path), *few]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found = load_dictionary(tmp_path)
    assert (found.n, found.reads, found.expected_l0) == (64, "blocks.8.hook_resid_post", 4.0)


@pytest.mark.parametrize("name", CLAIMS)
def test_an_example_concludes_what_it_teaches(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(name)
    numbers = module.main(["--quick", "--out", str(tmp_path)])
    *lines, picture = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 5
    assert all(line.endswith(".") and len(line) > 20 for line in lines)
    assert "nan" not in " ".join(lines)
    assert picture == f"picture: {tmp_path / name}.png"
    assert (tmp_path / f"{name}.png").stat().st_size > 4000
    assert CLAIMS[name](numbers), numbers


@pytest.mark.parametrize("name", CLAIMS)
def test_an_example_points_at_the_original(name: str) -> None:
    doc = (FOLDER / f"{name}.py").read_text(encoding="utf-8").split('"""')[1]
    assert "The original" in doc.replace("\n", " ")
    assert "--model" in doc or name == "logistic_vs_ttest"
