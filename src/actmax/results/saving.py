"""What every result can do: become JSON, go into a folder, come back, and show itself in a notebook.

A folder holds ``result.json``, ``manifest.json``, ``report.html`` and, for kinds with tensors, one file of
safetensors. They are written together or not at all, and nothing is ever unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from actmax.results.manifest import Manifest
from actmax.results.plain import from_plain, json_text, to_plain
from actmax.results.rendering import renderer_of
from actmax.results.shown import beside
from actmax.results.store import read_json, read_tensors, tensor_bytes, write_files

RESULT, MANIFEST, REPORT = "result.json", "manifest.json", "report.html"

R = TypeVar("R", bound="Saved")


class Saved:
    """A result: a frozen dataclass with the field ``manifest``, and ``tensors`` where it names their file.

    Both are marked :class:`~actmax.results.shown.Beside`, as they lie in files of their own.
    """

    __pydantic_config__: ClassVar[Any] = {"use_attribute_docstrings": True}

    schema: ClassVar[str]
    """Kind and version, such as ``actmax.check/1``."""
    tensor_file: ClassVar[str | None] = None
    """Where the field ``tensors`` goes; None for a result without."""

    def to_json(self) -> dict[str, Any]:
        """What ``result.json`` holds."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``result.json``, ``manifest.json``, ``report.html`` and the tensors, if any: all, or none.

        Raises:
            ActmaxError: the folder cannot be made or written to, or its disk is full.
        """
        held: Any = self
        files = {
            RESULT: json_text(self.to_json()).encode(),
            MANIFEST: json_text(held.manifest.to_json()).encode(),
        }
        if self.tensor_file is not None:
            files[self.tensor_file] = tensor_bytes(held.tensors)
        files[REPORT] = renderer_of(self.schema).page(self).encode()
        write_files(folder, files)

    @classmethod
    def load(cls: type[R], folder: str | os.PathLike[str]) -> R:
        """What :meth:`save` wrote.

        Raises:
            ActmaxError: a file is missing, was changed, or is of another kind or version.
        """
        place = Path(folder)
        data = read_json(place / RESULT, cls.schema)
        made = cls._from_json(data, Manifest.from_json(read_json(place / MANIFEST, Manifest.schema)))
        if cls.tensor_file is None:
            return made
        tensors: Any = {"tensors": read_tensors(place / cls.tensor_file)}
        return replace(made, **tensors)  # type: ignore[type-var]  # a dataclass, as the class says

    @classmethod
    def _from_json(cls: type[R], data: Mapping[str, Any], manifest: Manifest) -> R:
        """The result without its tensors."""
        left_out = beside(cls)  # type: ignore[arg-type]  # a class is hashable
        held = {name: value for name, value in data.items() if name not in left_out}
        return from_plain(cls, {**held, "manifest": manifest}, RESULT)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return renderer_of(self.schema).summary(self)
