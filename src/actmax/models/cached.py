"""What the cache holds, and whether it is still what it was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from actmax.assets.asset import asset_path, is_fetched
from actmax.assets.known import ASSETS
from actmax.cache import bytes_under, cache_dir, sha256_of
from actmax.models.gguf_file import record_of

Kind = Literal["model", "file", "corpus", "tokens", "scales", "hub"]

_CORPORA: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("tokens", re.compile(r"(.+)-[0-9a-f]{16}-tokens-[0-9a-f]{16}-v\d+")),
    ("corpus", re.compile(r"(.+)-[0-9a-f]{16}")),
)
"""The name of the folders of corpora in the cache."""


@dataclass(frozen=True)
class Item:
    """An item of the cache."""

    kind: Kind
    """A converted model; a fetched file; a corpus's text; its tokens by one tokenizer; measured scales
    (results of earlier runs on a corpus); a model in the hub's own cache."""
    name: str
    bytes: int
    sha256: str | None
    """The hash of the weights (of a model) or of the file; None for the hub's models, which have hashes of
    their own, and for what can be computed again."""
    revision: str | None
    """The commit, for hub models."""
    path: Path
    source_sha256: str | None = None
    """The hash of the GGUF file that a model was converted from."""

    @property
    def whole(self) -> bool:
        """Read all of it and compare the hash; True where there is none to compare."""
        if self.sha256 is None:
            return True
        return (
            sha256_of(self.path / "model.safetensors" if self.kind == "model" else self.path) == self.sha256
        )


def cached_items() -> list[Item]:
    """Everything usable in actmax's cache, then the models in the hub's cache."""
    return [*_models(), *_files(), *_corpora(), *_scales(), *_hub()]


def _models() -> list[Item]:
    items = []
    for folder in sorted((cache_dir() / "models").glob("[!.]*")):
        record = record_of(folder)
        if record is not None:
            size = bytes_under(folder)
            items.append(
                Item("model", record.name, size, record.weights_sha256, None, folder, record.gguf_sha256)
            )
    return items


def _files() -> list[Item]:
    return [
        Item("file", asset.name, asset.member_bytes, asset.member_sha256, None, asset_path(asset))
        for asset in ASSETS.values()
        if is_fetched(asset)
    ]


def _corpora() -> list[Item]:
    items = []
    for folder in sorted((cache_dir() / "corpora").glob("[!.]*")):
        for kind, shape in _CORPORA:
            if (found := shape.fullmatch(folder.name)) and (folder / "manifest.json").is_file():
                items.append(Item(kind, found[1], bytes_under(folder), None, None, folder))
                break
    return items


def _scales() -> list[Item]:
    folder = cache_dir() / "scales"
    held = any(folder.glob("*.json"))
    return [Item("scales", "scales", bytes_under(folder), None, None, folder)] if held else []


def _hub() -> list[Item]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except (CacheNotFound, OSError):
        return []
    return sorted(
        (
            Item("hub", repo.repo_id, repo.size_on_disk, None, revision.commit_hash, revision.snapshot_path)
            for repo in repos
            if repo.repo_type == "model"
            for revision in repo.revisions
            if any(file.file_name.endswith(".safetensors") for file in revision.files)
        ),
        key=lambda item: item.name,
    )
