"""What a result was made with, so that someone else can make it again."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import PurePath
from typing import Annotated, Any, ClassVar

from actmax.results.plain import from_plain, to_plain
from actmax.results.shown import Keywords
from actmax.version import __version__

LIBRARIES = ("torch", "transformers", "numpy")
"""Those whose version can change a number."""


@dataclass(frozen=True)
class Manifest:
    """Where a result comes from. Paths and user names appear only in the command line."""

    schema: ClassVar[str] = "actmax.manifest/1"
    __pydantic_config__: ClassVar[Any] = {"use_attribute_docstrings": True}

    model: str
    """Name as in the result."""
    revision: str | None
    """The hub's commit, where the model came from there."""
    sha256: str | None
    """Of the weights, where they came from a file."""
    tokenizer_sha256: str | None
    """Of the tokenizer's serialised form."""
    family: str
    """Architecture, for example ``llama``."""
    dtype: str
    device: str
    versions: Mapping[str, str]
    """Of Python, actmax and the libraries that compute."""
    command: str
    """The command line as it can be typed again; empty where the library was called."""
    seed: int
    corpus_sha256: str | None
    vocabulary_mask: Mapping[str, Any] | None
    """How the vocabulary was restricted: rules and counts; None where it was not."""
    bos: str
    """The policy for the beginning-of-sequence token (``auto``, ``always``, ``never``) and what it meant."""
    created: Annotated[str, Keywords(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")] = field(
        default_factory=lambda: utc_now()
    )
    """UTC, ISO 8601."""
    stored: str | None = None
    """The types in which the files hold the weights, the most frequent first (``bfloat16``, ``Q4_1, F32``);
    None for a model in memory. ``dtype`` is what it runs in."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of every file that the model was read from, by name; empty for a model in memory."""

    def to_json(self) -> dict[str, Any]:
        """What ``manifest.json`` holds."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Manifest:
        """The manifest that :meth:`to_json` gave.

        Raises:
            ActmaxError: a field is missing or of the wrong kind.
        """
        return from_plain(cls, dict(data), "manifest")


def library_versions() -> dict[str, str]:
    """Versions of Python, actmax and :data:`LIBRARIES`, as installed."""
    return {
        "python": platform.python_version(),
        "actmax": __version__,
        **{name: metadata.version(name) for name in LIBRARIES},
    }


def command_line(arguments: Sequence[str]) -> str:
    """``sys.argv`` as a line for a shell; the program is named without its folder."""
    program, *rest = arguments or ("actmax",)
    name = PurePath(program).name
    return shlex.join(["actmax" if name in ("__main__.py", "-m", "-c", "") else name, *rest])


def utc_now() -> str:
    """The time in UTC to the second, for example ``2025-01-31T12:00:00Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
