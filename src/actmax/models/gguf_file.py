"""A GGUF file, converted once into a safetensors directory in the user's cache.

Reading a quantised file anew costs several seconds each time; the converted directory loads in one to two. It
is named by the file's SHA-256 and by the version of this conversion, and holds ``config.json``,
``model.safetensors`` (float32, which the dequantised values are), the tokenizer's files and ``actmax.json``,
written last: name, source hash, and the size of each file, by which a damaged copy is noticed and made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actmax.cache import cache_dir, locked, os_reason, placing, sha256_of
from actmax.errors import ActmaxError
from actmax.progress import Progress, silent

CONVERSION = 1
"""Raised when the conversion changes, so that directories made by an older one are not used."""

_MANIFEST = "actmax.json"


@dataclass(frozen=True)
class Converted:
    """What ``actmax.json`` says of a converted directory."""

    name: str
    gguf_sha256: str
    weights_sha256: str
    conversion: int
    files: Mapping[str, int]
    """Size in bytes of every other file in the directory."""


def converted_dir(gguf_sha256: str, name: str) -> Path:
    """Where the conversion of the GGUF file with this hash is, or would be."""
    return cache_dir() / "models" / f"{name}-{gguf_sha256[:12]}-v{CONVERSION}"


def manifest_of(folder: Path) -> Converted | None:
    """The manifest of a converted directory; None where it is absent or a file is not whole."""
    try:
        record = Converted(**json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
        whole = all((folder / name).stat().st_size == size for name, size in record.files.items())
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return record if whole and record.conversion == CONVERSION else None


def converted(path: Path, *, name: str, sha256: str | None = None, progress: Progress = silent) -> Path:
    """The safetensors directory made of the GGUF file at ``path``, made now if the cache does not hold it.

    Args:
        path: The GGUF file.
        name: What the directory's name begins with.
        sha256: The file's hash where it is known; computed otherwise.
        progress: Told of the conversion.

    Raises:
        ActmaxError: the file is damaged or of a kind that cannot be read; the cache cannot be written to.
    """
    try:
        sha256 = sha256 or sha256_of(path)
    except OSError as error:
        raise ActmaxError(f"{str(path)!r} cannot be read ({error.strerror}).") from error
    folder = converted_dir(sha256, name)
    if manifest_of(folder) is not None:
        return folder
    with locked(folder):
        if manifest_of(folder) is None:
            try:
                with placing(folder) as workshop:
                    _convert(path, workshop / folder.name, name, sha256, progress)
            except OSError as error:
                raise ActmaxError(
                    f"Converting {path.name!r} failed: {os_reason(error, cache_dir())}"
                ) from error
    return folder


def _convert(path: Path, folder: Path, name: str, sha256: str, progress: Progress) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file
    from transformers import AutoConfig

    from actmax.models.gguf_tokenizer import tokenizer_of
    from actmax.models.gguf_weights import llama_weights, other_weights

    progress("converting", 0, None)
    reader, fields = read_fields(path)
    folder.mkdir()
    tokenizer_of(fields, path).save_pretrained(str(folder))
    if fields["general.architecture"] == "llama":
        settings = llama_config(fields, {tensor.name for tensor in reader.tensors}, path.name)
        weights = llama_weights(reader, settings, path.name, progress)
    else:
        settings, weights = other_weights(path)
    config = AutoConfig.for_model(**settings)
    config.save_pretrained(str(folder))
    file = folder / "model.safetensors"
    try:
        save_file(weights, str(file), metadata={"format": "pt"})
    except SafetensorError as error:  # safetensors reports a full disk as its own error
        raise _as_os_error(error) from error
    file.chmod((folder / "config.json").stat().st_mode & 0o777)  # safetensors writes for the owner alone
    progress("verifying", 0, None)
    record = Converted(
        name=name,
        gguf_sha256=sha256,
        weights_sha256=sha256_of(file),
        conversion=CONVERSION,
        files={item.name: item.stat().st_size for item in sorted(folder.iterdir())},
    )
    (folder / _MANIFEST).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def _as_os_error(error: Exception) -> OSError:
    import errno

    said = str(error)
    code = errno.ENOSPC if "os error 28" in said or "StorageFull" in said or "No space" in said else errno.EIO
    return OSError(code, said)


def read_fields(path: Path) -> tuple[Any, dict[str, Any]]:
    """The reader of a GGUF file and its metadata by key.

    Raises:
        ActmaxError: the file is not GGUF, is cut short, or is otherwise damaged.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(str(path))
        fields = {key: field.contents() for key, field in reader.fields.items()}
        ends = (int(tensor.data_offset) + int(tensor.n_bytes) for tensor in reader.tensors)
        if max(ends, default=0) > path.stat().st_size:
            raise ValueError("the last tensor ends beyond the file")
        if "general.architecture" not in fields or "tokenizer.ggml.tokens" not in fields:
            raise ValueError("no architecture or no tokenizer")
    except (ValueError, KeyError, IndexError, OverflowError, MemoryError, UnicodeDecodeError) as error:
        raise ActmaxError(
            f"{path.name!r} is not a whole GGUF model file ({error}); fetch or copy it again."
        ) from error
    return reader, fields


def llama_config(fields: Mapping[str, Any], tensors: set[str], label: str) -> dict[str, Any]:
    """The transformers config of a llama GGUF file, as a dict with ``model_type``.

    Raises:
        ActmaxError: a setting is missing, or the file asks for what a plain llama does not do.
    """
    asks = [
        key
        for key in ("llama.rope.scaling.type", "llama.expert_count")
        if fields.get(key) not in (None, "none", 0)
    ]
    if asks:
        raise ActmaxError(
            f"{label!r} sets {asks[0]!r}, which reading from GGUF does not support;"
            " use the model's safetensors directory instead."
        )
    try:
        heads = int(fields["llama.attention.head_count"])
        width = int(fields["llama.embedding_length"])
        return {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "vocab_size": len(fields["tokenizer.ggml.tokens"]),
            "hidden_size": width,
            "intermediate_size": int(fields["llama.feed_forward_length"]),
            "num_hidden_layers": int(fields["llama.block_count"]),
            "num_attention_heads": heads,
            "num_key_value_heads": int(fields.get("llama.attention.head_count_kv", heads)),
            "head_dim": int(fields.get("llama.rope.dimension_count", width // heads)),
            "max_position_embeddings": int(fields["llama.context_length"]),
            "rope_theta": float(fields.get("llama.rope.freq_base", 10000.0)),
            "rms_norm_eps": float(fields["llama.attention.layer_norm_rms_epsilon"]),
            "tie_word_embeddings": "output.weight" not in tensors,
            "attention_bias": "blk.0.attn_q.bias" in tensors,
            "mlp_bias": "blk.0.ffn_up.bias" in tensors,
            "bos_token_id": fields.get("tokenizer.ggml.bos_token_id"),
            "eos_token_id": fields.get("tokenizer.ggml.eos_token_id"),
            "pad_token_id": fields.get("tokenizer.ggml.padding_token_id"),
        }
    except KeyError as error:
        raise ActmaxError(
            f"{label!r} lacks the setting {error.args[0]!r}; fetch or copy it again."
        ) from error
