"""A tiny model, a small corpus and an empty folder for ``actmax maximize --method``."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.text_command import UNIT
from tests.small_corpus import small_corpus
from tests.tiny_folder import tiny_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def here(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in; the cache is elsewhere."""
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(model: str, corpus: str) -> list[str]:
    return ["maximize", UNIT, "--model", model, "--device", "cpu", "--corpus", corpus, "--length", "4"]
