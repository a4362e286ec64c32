"""The output directory: what goes into it goes in whole, and what comes out is never unpickled.

Every verb writes the same way. :func:`prepare_out` looks at the directory before hours of work start and
leaves nothing behind; :func:`write_files` writes each file beside its target first and moves them all into
place when the last byte is on disk, so a full disk or an interruption leaves what was there before.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from actmax.errors import ActmaxError
from actmax.files import refusals, unreadable, write_all
from actmax.results.plain import json_text

LEAST_FREE = 8_000_000
"""Bytes that must be free before work starts: more than any verb's report, less than any disk in use."""


def prepare_out(path: str | os.PathLike[str], *, needed: int = LEAST_FREE) -> Path:
    """Check that a result can be written into the directory ``path``, before the work that makes it.

    The directory need not exist; it is made by the first write, and this check leaves nothing behind.

    Args:
        path: the directory that ``--out`` names.
        needed: bytes that have to be free there.

    Raises:
        ActmaxError: it is a file or lies below one, cannot be written to, or its disk is (almost) full.
    """
    out = Path(path).expanduser()
    with _refusals(out):
        there = next(
            folder for folder in (out.absolute(), *out.absolute().parents) if os.path.lexists(folder)
        )
        if not there.is_dir():
            raise ActmaxError(f"{str(there)!r} is a file, not a folder; give --out a folder.")
        with tempfile.TemporaryFile(prefix=".actmax-", dir=there) as probe:
            probe.write(b"can this be written?")
        free = shutil.disk_usage(there).free
        if free < needed:
            raise ActmaxError(
                f"Only {free / 1e6:.1f} MB are free at {str(out)!r} and {needed / 1e6:.1f} MB are needed; "
                "free some, or give --out a folder on another disk."
            )
    return out


def write_files(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """Write ``files`` (name to content) into ``folder``: all of them, or none.

    They are moved into place from the last to the first, so put the file first whose presence means that
    everything is there. The folder is made where it is missing, and removed again when writing fails.

    Raises:
        ActmaxError: the folder cannot be made or written to, or its disk is full.
    """
    target = Path(folder).expanduser()
    with _refusals(target, then="nothing was written"):
        write_all(target, files)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write one file, as :func:`write_files`."""
    place = Path(path)
    write_files(place.parent, {place.name: content})


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write one UTF-8 text file, as :func:`write_files`."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], data: Any) -> None:
    """Write dataclasses, mappings and lists as JSON; numbers that are not finite become null."""
    write_text(path, json_text(data))


def tensor_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """The content of a safetensors file; tensors may lie on any device, be views or share memory."""
    return save_tensors(
        {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    )


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file.

    Raises:
        ActmaxError: it is missing or cannot be read.
    """
    place = Path(path).expanduser()
    try:
        return place.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ActmaxError(
            f"There is no {place.name} in {str(place.parent)!r}; give a folder that --out has written."
        ) from error
    except OSError as error:
        raise unreadable(error, place) from error


def read_json(path: str | os.PathLike[str], schema: str | None = None) -> dict[str, Any]:
    """The JSON object in a file, which says ``"schema": schema`` where one is given.

    Raises:
        ActmaxError: the file is missing, is not JSON, or holds another kind or version of result.
    """
    place = str(path)
    try:
        data = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ActmaxError(f"{place!r} is not JSON; it was changed or cut short, so make it again.") from error
    if not isinstance(data, dict):
        raise ActmaxError(f"{place!r} holds no JSON object; give a file that actmax has written.")
    if schema is not None:
        _check_schema(place, data.get("schema"), schema)
    return data


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU; nothing is ever unpickled.

    Raises:
        ActmaxError: the file is missing or is not a whole safetensors file.
    """
    content = read_bytes(path)
    try:
        return load_tensors(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ActmaxError(f"{str(path)!r} is not a whole safetensors file; make it again.") from error


def _check_schema(place: str, found: Any, wanted: str) -> None:
    if found == wanted:
        return
    kind, _, version = wanted.partition("/")
    if isinstance(found, str) and found.partition("/")[0] == kind:
        raise ActmaxError(
            f"{place!r} has version {found.partition('/')[2]!r} of {kind} and this actmax reads {version!r}; "
            "read it with the actmax that wrote it, or make it again."
        )
    raise ActmaxError(f"{place!r} holds {found!r} and not {wanted!r}; give a result of that kind.")


def _refusals(out: Path, then: str = "") -> AbstractContextManager[None]:
    """What the operating system refuses at ``out``, as one sentence."""
    return refusals(out, "give --out another folder", then=then)
