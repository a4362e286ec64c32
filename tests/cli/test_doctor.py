from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from actmax.api import doctor as health
from actmax.cli.main import main


def findings(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, dict[str, str]]:
    assert main(["doctor", "--json", *arguments]) == code
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["healthy"] is (code == 0)
    assert (captured.err == "") is (code == 0)
    return {finding["name"]: finding for finding in report["findings"]}


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_fresh_machine_is_healthy_and_untouched(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    found = findings(capsys)
    assert "torch" in found["packages"]["found"]
    assert found["default model"]["state"] == "note"
    assert "actmax models fetch" in found["default model"]["mend"]
    assert not cache.exists()


def test_the_table_names_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    names = findings(capsys).keys()
    assert main(["doctor"]) == 0
    table = capsys.readouterr().out
    assert [name for name in names if name not in table] == []
    assert main(["doctor", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_what_is_broken_is_named_with_its_mend(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = findings(capsys, "--device", "cuda:99", code=2)
    assert found["device"]["state"] == "broken"
    assert findings(capsys, "--dtype", "int3", code=2)["dtype"]["state"] == "broken"
    assert findings(capsys, "--model", str(tmp_path), code=2)["model"]["state"] == "broken"


def test_a_cache_that_cannot_be_written_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ACTMAX_CACHE", str(tmp_path / "file" / "cache"))
    assert "set ACTMAX_CACHE" in findings(capsys, code=2)["cache"]["mend"]


def test_a_disk_too_small_for_the_default_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 700_000_000))
    assert "needs 751 MB" in findings(capsys, code=2)["cache"]["mend"]


def test_no_installer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actmax.assets.wheel.installer", lambda: None)
    assert findings(capsys, code=2)["installer"]["mend"] == "run `python -m ensurepip`"


def test_a_missing_extra_is_a_note(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_EXTRAS", {"hub": ("no_such_module_at_all",)})
    found = findings(capsys)["extra hub"]
    assert (found["state"], found["found"]) == ("note", "no_such_module_at_all not installed")
    assert "pip install 'actmax[hub]'" in found["mend"]
