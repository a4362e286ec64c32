"""Small real wheels, and a pip that finds them and nothing else."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from actmax.assets.known import Asset

NAME, VERSION = "actmax-test-asset", "1.0"
MEMBER = "actmax_test_asset/data/blob.bin"


def build_wheel(folder: Path, content: bytes, member: str = MEMBER) -> tuple[Path, Asset]:
    """A wheel in ``folder`` that holds ``content``, and the asset that describes it."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{NAME.replace('-', '_')}-{VERSION}"
    path = folder / f"{stem}-py3-none-any.whl"
    info = f"{stem}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{member},,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    asset = Asset(
        name="test-asset",
        requirement=f"{NAME}=={VERSION}",
        wheel_sha256="",
        wheel_bytes=path.stat().st_size,
        member=member,
        member_sha256=hashlib.sha256(content).hexdigest(),
        member_bytes=len(content),
        attribution="nobody",
    )
    return path, pinned(asset, path)


def pinned(asset: Asset, wheel: Path) -> Asset:
    """The asset, expecting the wheel as it is now."""
    return replace(asset, wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())


def only_from(folder: Path) -> dict[str, str]:
    """Environment variables that make pip and uv look into ``folder`` and nowhere else."""
    return {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "UV_NO_CONFIG": "1",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_CACHE_DIR": str(folder / ".uv-cache"),
    }


def unreachable() -> dict[str, str]:
    """Environment variables that make pip look for its index where nobody listens."""
    return {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "0",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
    }


def use(monkeypatch: pytest.MonkeyPatch, cache: Path, environment: dict[str, str]) -> None:
    """Set the cache and the environment for this test."""
    monkeypatch.setenv("ACTMAX_CACHE", str(cache))
    for key, value in environment.items():
        monkeypatch.setenv(key, value)


def left_behind(cache: Path) -> list[str]:
    """Everything in a cache except its (empty) lock files and folders."""
    return sorted(
        str(path.relative_to(cache))
        for path in cache.rglob("*")
        if not path.is_dir() and path.relative_to(cache).parts[0] != "locks"
    )
