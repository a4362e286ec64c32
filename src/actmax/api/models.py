"""What is cached, and how it gets there: what ``actmax models`` does."""

from __future__ import annotations

from typing import TypedDict

from actmax.assets.asset import fetch_asset
from actmax.assets.known import ASSETS, SMOLLM2
from actmax.cache import bytes_under, cache_dir
from actmax.models.cached import Item, cached_items
from actmax.models.default import default_model_dir
from actmax.progress import Progress, silent


class CachedRow(TypedDict):
    """One cached thing."""

    kind: str
    name: str
    bytes: int
    sha256: str | None
    source_sha256: str | None
    revision: str | None
    path: str
    whole: bool | None


class CacheListing(TypedDict):
    """What the cache holds, and what is not fetched yet."""

    schema: str
    cache: str
    cache_bytes: int
    items: list[CachedRow]
    not_fetched: list[str]


class Fetched(TypedDict):
    """What was fetched."""

    schema: str
    fetched: str
    items: list[dict[str, str | int | None]]


def models(name: str | None = None, *, verify: bool = False) -> CacheListing:
    """Models, files, corpora and their tokens that are cached, with sizes and hashes.

    Args:
        name: list only what has this name.
        verify: read every file and compare its SHA-256.
    """
    items = [item for item in cached_items() if name in (None, item.name)]
    fetched = {item.name for item in items if item.kind in ("model", "file")}
    return {
        "schema": "actmax.models/1",
        "cache": str(cache_dir()),
        "cache_bytes": bytes_under(cache_dir()),
        "items": [_row(item, verify) for item in items],
        "not_fetched": [one for one in ASSETS if one not in fetched],
    }


def fetch(name: str | None, *, dtype: str = "float32", progress: Progress = silent) -> Fetched:
    """Get a model or corpus into the cache; nothing happens where it is there already.

    Args:
        name: the default model where None; ``wikipedia-excerpt``, or a name on the hub.
        dtype: the type in which a model of the hub is loaded.
        progress: called while it is fetched and converted.

    Raises:
        ActmaxError: it cannot be fetched, or is not what it should be.
    """
    wanted = name or SMOLLM2.name
    if wanted == SMOLLM2.name:
        default_model_dir(progress)
    elif wanted in ASSETS:
        fetch_asset(ASSETS[wanted], progress)
    else:
        from actmax.models.load import load_model  # slow to import, and needed for the hub only

        load_model(wanted, device="cpu", dtype=dtype, progress=progress)
    rows: list[dict[str, str | int | None]] = [
        {
            "kind": item.kind,
            "name": item.name,
            "bytes": item.bytes,
            "sha256": item.sha256,
            "path": str(item.path),
        }
        for item in cached_items()
        if item.name == wanted and item.kind in ("model", "file", "hub")
    ]
    return {"schema": "actmax.models/1", "fetched": wanted, "items": rows}


def attribution(name: str) -> str:
    """Whom a fetched thing is to be attributed to; empty where actmax does not know."""
    return ASSETS[name].attribution if name in ASSETS else ""


def _row(item: Item, verify: bool) -> CachedRow:
    return {
        "kind": item.kind,
        "name": item.name,
        "bytes": item.bytes,
        "sha256": item.sha256,
        "source_sha256": item.source_sha256,
        "revision": item.revision,
        "path": str(item.path),
        "whole": item.whole if verify else None,
    }
