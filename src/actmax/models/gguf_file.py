"""A GGUF model, converted once into a safetensors directory in the user's cache.

Reading a quantised file takes several seconds each time; the converted directory loads in one to two. It
is named by the SHA-256 of the file (of all parts of a split one) and by the version of this conversion, so
neither other files in its folder nor its name matter. It holds ``config.json``,
``model.safetensors`` (float32, as the dequantised values are), the tokenizer's files and
``actmax.json``, written last: name, source hash, and the size of each file, by which a damaged copy is
noticed and made again. A conversion that fails leaves nothing in the cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from actmax.cache import cache_dir, locked, os_reason, sha256_of
from actmax.errors import ActmaxError
from actmax.files import placing, unreadable
from actmax.models.gguf_read import gguf_parts
from actmax.progress import Progress, silent

CONVERSION = 2
"""The version, raised when the conversion changes, so that directories made by an older one are not used."""

_MANIFEST = "actmax.json"


@dataclass(frozen=True)
class Converted:
    """The content of ``actmax.json`` in a converted directory."""

    name: str
    gguf_sha256: str
    """The hash of the GGUF file; for a split one, of the hashes of all parts."""
    weights_sha256: str
    conversion: int
    precision: str
    """The types in which the GGUF file stores its numbers: ``Q4_1, F32``."""
    files: Mapping[str, int]
    """The size in bytes of every other file in the directory."""


def converted_dir(gguf_sha256: str) -> Path:
    """The directory of the conversion of the GGUF file with this hash, which need not exist."""
    return cache_dir() / "models" / f"{gguf_sha256[:16]}-v{CONVERSION}"


def record_of(folder: Path) -> Converted | None:
    """The manifest of a converted directory; None where it is absent or a file is incomplete."""
    try:
        record = Converted(**json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
        whole = all((folder / name).stat().st_size == size for name, size in record.files.items())
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return record if whole and record.conversion == CONVERSION else None


def gguf_hashes(path: Path) -> dict[str, str]:
    """The SHA-256 of a GGUF file, or of every part of a split one, by file name.

    Raises:
        ActmaxError: a part is missing or cannot be read.
    """
    try:
        return {part.name: sha256_of(part) for part in gguf_parts(path)}
    except OSError as error:
        raise unreadable(error, path) from error


def gguf_hash(hashes: Mapping[str, str]) -> str:
    """One SHA-256 for a GGUF model: the file's own, or that of the hashes of its parts in order."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    return hashlib.sha256("\n".join(hashes.values()).encode()).hexdigest()


def converted(path: Path, *, name: str, sha256: str | None = None, progress: Progress = silent) -> Path:
    """The safetensors directory made of the GGUF model at ``path``, made now if the cache does not hold it.

    Args:
        path: The GGUF file, or any part of a split one.
        name: What lists of the cache call it.
        sha256: The model's hash (:func:`gguf_hash`) where it is known; computed otherwise.
        progress: Called with the state of the conversion.

    Raises:
        ActmaxError: the file is damaged, or holds something that cannot be read; the cache cannot be written
            to.
    """
    sha256 = sha256 or gguf_hash(gguf_hashes(path))
    folder = converted_dir(sha256)
    if record_of(folder) is not None:
        return folder
    with locked(folder):
        if record_of(folder) is None:
            try:
                with placing(folder) as workshop:
                    _convert(path, workshop / folder.name, name, sha256, progress)
            except OSError as error:
                raise ActmaxError(os_reason(f"Converting {path.name!r}", error, cache_dir())) from error
    return folder


def _convert(path: Path, folder: Path, name: str, sha256: str, progress: Progress) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file
    from transformers import AutoConfig

    from actmax.models.complaints import hushed, plain_errors
    from actmax.models.gguf_config import config_of
    from actmax.models.gguf_read import check_types, read_gguf
    from actmax.models.gguf_tokenizer import tokenizer_of
    from actmax.models.gguf_weights import gguf_weights

    progress("converting", 0, None)
    model = read_gguf(path)
    settings = config_of(model)
    check_types(model)
    tokenizer = tokenizer_of(model.fields, path)
    with hushed(), plain_errors(path.name):
        weights = gguf_weights(model, settings, progress)
        config = AutoConfig.for_model(**settings)
    folder.mkdir()
    tokenizer.save_pretrained(str(folder))
    config.save_pretrained(str(folder))
    file = folder / "model.safetensors"
    try:
        save_file(weights, str(file), metadata={"format": "pt"})
    except SafetensorError as error:  # safetensors reports a full disk as its own error
        raise _as_os_error(error) from error
    file.chmod((folder / "config.json").stat().st_mode & 0o777)  # safetensors writes for the owner only
    progress("verifying", 0, None)
    record = Converted(
        name=name,
        gguf_sha256=sha256,
        weights_sha256=sha256_of(file),
        conversion=CONVERSION,
        precision=model.precision,
        files={item.name: item.stat().st_size for item in sorted(folder.iterdir())},
    )
    (folder / _MANIFEST).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def _as_os_error(error: Exception) -> OSError:
    import errno

    said = str(error)
    code = errno.ENOSPC if "os error 28" in said or "StorageFull" in said or "No space" in said else errno.EIO
    return OSError(code, said)
