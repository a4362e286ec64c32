"""Reading a dictionary's files: JSON, YAML, safetensors and NumPy archives, none of them pickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors import SafetensorError, safe_open
from torch import Tensor

from actmax.errors import ActmaxError

PICKLES = {".pt", ".pth", ".bin", ".pkl", ".ckpt"}


@dataclass(frozen=True)
class Folder:
    """The files of one dictionary: a folder, or one file and the other files in its folder."""

    path: Path
    """The folder."""
    given: str
    """The path as the user wrote it, for sentences."""
    only: str | None = None
    """The file that was named, where one was."""
    read: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of every file read so far, by name."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.path / name).is_file()

    def names(self) -> Iterator[str]:
        """The files of the folder, in order."""
        return (path.name for path in sorted(self.path.iterdir()) if path.is_file())

    def json(self, name: str) -> Mapping[str, Any]:
        """A JSON object.

        Raises:
            ActmaxError: the file holds something else.
        """
        try:
            value = json.loads(self._bytes(name))
        except ValueError as error:
            raise ActmaxError(f"{self.given}/{name} is not JSON ({error}); fetch or copy it again.") from None
        if not isinstance(value, dict):
            raise ActmaxError(f"{self.given}/{name} should hold an object, not a {type(value).__name__}.")
        return value

    def yaml(self, name: str) -> Mapping[str, Any]:
        """A YAML mapping.

        Raises:
            ActmaxError: the file holds something else.
        """
        try:
            value = yaml.safe_load(self._bytes(name))
        except yaml.YAMLError as error:
            raise ActmaxError(f"{self.given}/{name} is not YAML ({' '.join(str(error).split())}).") from None
        if not isinstance(value, dict):
            raise ActmaxError(f"{self.given}/{name} should hold a mapping, not a {type(value).__name__}.")
        return value

    def tensors(self, name: str) -> dict[str, Tensor]:
        """All tensors of a safetensors file or of a NumPy archive, in float32.

        Raises:
            ActmaxError: the file is neither, or holds pickled objects.
        """
        content = self._bytes(name)
        path = self.path / name
        try:
            if path.suffix == ".npz":
                with np.load(path, allow_pickle=False) as archive:
                    found = {key: torch.from_numpy(np.asarray(archive[key])) for key in archive.files}
            else:
                with safe_open(path, framework="pt") as file:
                    found = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        except (SafetensorError, ValueError, TypeError, OSError, EOFError, KeyError) as error:
            raise ActmaxError(
                f"{self.given}/{name} ({len(content)} bytes) cannot be read: {' '.join(str(error).split())}."
            ) from None
        return {key: value.float() if value.is_floating_point() else value for key, value in found.items()}

    def sha256(self) -> str:
        """A hash of the hashes of all files that were read, by name."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.read.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def _bytes(self, name: str) -> bytes:
        try:
            content = (self.path / name).read_bytes()
        except OSError as error:
            raise ActmaxError(f"{self.given}/{name} cannot be read: {error.strerror}.") from None
        self.read[name] = hashlib.sha256(content).hexdigest()
        return content


def tensor(tensors: Mapping[str, Tensor], name: str, folder: Folder) -> Tensor:
    """One tensor by its name.

    Raises:
        ActmaxError: there is none of that name; the sentence lists the names that exist.
    """
    if name not in tensors:
        raise ActmaxError(
            f"The dictionary {folder.given!r} has no tensor {name}; "
            f"it has {', '.join(sorted(tensors))[:300]}."
        )
    return tensors[name]
