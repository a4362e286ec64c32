"""The metadata and tensors of a GGUF model, whole or in parts, as they are in its files.

1. A model that was split (``split.count``) is read from all its parts, whichever of them is given; a missing
   part is named.
2. A file that is cut short, or damaged, or whose quantisation the ``gguf`` package cannot read, gets a
   sentence.
3. :class:`GgufKeys` hands out the keys of one architecture and knows which were asked for: what is left at
   the end, and is not known to be harmless, is refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from actmax.errors import ActmaxError

_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)
ELSE = "use the model's safetensors directory instead."


@dataclass(frozen=True)
class GgufModel:
    """The content of the files of a GGUF model."""

    label: str
    """The name in errors: that of the file that was given."""
    fields: Mapping[str, Any]
    """The metadata, by key."""
    tensors: Mapping[str, Any]
    """The tensors as the ``gguf`` package reads them, by name."""

    @property
    def architecture(self) -> str:
        """The architecture, as the file names it."""
        return str(self.fields["general.architecture"])

    @property
    def precision(self) -> str:
        """The types in which the numbers are stored, the one with most numbers first: ``Q4_1, F32``."""
        sizes: dict[str, int] = {}
        for tensor in self.tensors.values():
            name = str(tensor.tensor_type.name)
            sizes[name] = sizes.get(name, 0) + int(tensor.n_elements)
        return ", ".join(sorted(sizes, key=lambda kind: (-sizes[kind], kind)))


def gguf_parts(path: Path) -> tuple[Path, ...]:
    """All files of the model that ``path`` is a part of, in order; the path itself where it is whole.

    Raises:
        ActmaxError: a part is not there.
    """
    match = _PART.fullmatch(path.name)
    if match is None or not 2 <= int(match[3]) <= 99_999:
        return (path,)
    names = [f"{match[1]}-{number + 1:05d}-of-{match[3]}.gguf" for number in range(int(match[3]))]
    for number, name in enumerate(names, start=1):
        if not path.with_name(name).is_file():
            raise ActmaxError(
                f"{path.name!r} is part {int(match[2])} of {int(match[3])}, and part {number} ({name!r}) is"
                " not beside it; put all parts into one folder."
            )
    return tuple(path.with_name(name) for name in names)


def read_gguf(path: Path) -> GgufModel:
    """The metadata and tensors of the GGUF model at ``path``, with all parts of it.

    Raises:
        ActmaxError: a file is not GGUF, is cut short or damaged, belongs to another model, or is not a model.
    """
    parts = gguf_parts(path)
    fields: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    for number, part in enumerate(parts):
        own, held = _read_file(part)
        count, place = own.get("split.count", 1), own.get("split.no", 0)
        if count not in (0, 1) or len(parts) > 1:
            _check_part(part, number, len(parts), count, place)
        fields = fields or own
        for tensor in held:
            if tensor.name in tensors:
                raise _damaged(part, f"it holds {tensor.name!r} twice")
            tensors[tensor.name] = tensor
    expected = fields.get("split.tensors.count", len(tensors))
    if expected != len(tensors):
        raise _damaged(path, f"its parts hold {len(tensors)} tensors of {expected}")
    _check_kind(path, fields)
    if "tokenizer.ggml.tokens" not in fields:
        raise _damaged(path, "no architecture or no tokenizer")
    return GgufModel(path.name, fields, tensors)


def _check_part(part: Path, number: int, parts: int, count: Any, place: Any) -> None:
    if parts == 1:
        raise ActmaxError(
            f"{part.name!r} is part {_plus_one(place)} of {count} of a model, and its name does not say how"
            f" the other parts are called; name the parts …-00001-of-{int(count):05d}.gguf or merge them with"
            " llama-gguf-split."
        )
    if (count, place) != (parts, number):
        raise ActmaxError(
            f"{part.name!r} is called part {number + 1} of {parts} but says that it is part"
            f" {_plus_one(place)} of {count}; copy all parts again."
        )


def _plus_one(place: Any) -> Any:
    return place + 1 if isinstance(place, int) else place


def _check_kind(path: Path, fields: Mapping[str, Any]) -> None:
    kind = fields.get("general.type", "model")
    if kind != "model":
        raise ActmaxError(f"{path.name!r} holds what GGUF calls {short(kind)}, not a model; {ELSE}")


def _read_file(path: Path) -> tuple[dict[str, Any], list[Any]]:
    from gguf import GGUFReader

    try:
        reader = GGUFReader(str(path))
        fields = {key: value.contents() for key, value in reader.fields.items()}
        tensors = list(reader.tensors)
        ends = (int(tensor.data_offset) + int(tensor.n_bytes) for tensor in tensors)
        if max(ends, default=0) > path.stat().st_size:
            raise ValueError("the last tensor ends beyond the file")
        if "general.architecture" not in fields:
            raise ValueError("no architecture or no tokenizer")
    except OSError as error:
        raise ActmaxError(f"{path.name!r} cannot be read ({error.strerror or error}).") from error
    except Exception as error:
        unknown = re.search(r"(\d+)\)? is not a valid GGMLQuantizationType", str(error))
        if unknown is not None:
            raise _unread(path.name, "a tensor", f"the type {unknown[1]}") from error
        raise _damaged(path, " ".join(str(error).split())[:200]) from error
    return fields, tensors


def _damaged(path: Path, why: str) -> ActmaxError:
    return ActmaxError(f"{path.name!r} is not a whole GGUF model file ({why}); fetch or copy it again.")


def _unread(label: str, tensor: str, kind: str) -> ActmaxError:
    version = metadata.version("gguf")
    return ActmaxError(
        f"{label!r} stores {tensor} as {kind}, which gguf {version} cannot turn into numbers (the file is"
        " whole); use the same model in another quantisation, such as Q8_0 or F16."
    )


def check_types(model: GgufModel) -> None:
    """Refuse tensors that the ``gguf`` package cannot dequantise, before any is converted.

    Raises:
        ActmaxError: the sentence names the tensor and its type.
    """
    from gguf import GGML_QUANT_SIZES, dequantize

    readable: dict[Any, bool] = {}
    for name, tensor in model.tensors.items():
        kind = tensor.tensor_type
        if kind not in readable:
            try:
                block = GGML_QUANT_SIZES[kind][1]
                data = tensor.data if kind.name in ("F32", "F16") else np.zeros((1, block), dtype=np.uint8)
                dequantize(data.reshape(-1)[:block] if data is tensor.data else data, kind)
                readable[kind] = True
            except (NotImplementedError, KeyError, ValueError):
                readable[kind] = False
        if not readable[kind]:
            raise _unread(model.label, repr(name), str(kind.name))


def short(value: Any, longest: int = 60) -> str:
    """A value as Python writes it, cut where it is long."""
    written = repr(value)
    return written if len(written) <= longest else written[:longest] + "…"


@dataclass
class GgufKeys:
    """The keys of a model's architecture, handed out by name; it knows which ones nobody asked for."""

    model: GgufModel
    used: set[str] = field(default_factory=set)

    def key(self, name: str) -> str:
        """The full key of a setting: ``llama.block_count``."""
        return f"{self.model.architecture}.{name}"

    def has(self, name: str) -> bool:
        """Whether the file sets it (this does not count as asking for it)."""
        return self.key(name) in self.model.fields

    def refuse(self, name: str, why: str) -> ActmaxError:
        """The error about one setting."""
        return ActmaxError(f"{self.model.label!r} sets {short(self.key(name), 100)} {why}; {ELSE}")

    def get(self, name: str, default: Any = None) -> Any:
        """The value as it is."""
        self.used.add(name)
        return self.model.fields.get(self.key(name), default)

    def number(self, name: str, default: float | None = None) -> float:
        """A number; of a list with one value for each block, that value where all are equal.

        Raises:
            ActmaxError: it is missing and has no default, is not a number, or differs between blocks.
        """
        value = self.get(name, default)
        if value is None:
            raise ActmaxError(
                f"{self.model.label!r} lacks the setting {self.key(name)!r}; fetch or copy it again."
            )
        if isinstance(value, list):
            if not value or any(one != value[0] for one in value):
                raise self.refuse(
                    name, "differently for each block, which reading from GGUF does not support"
                )
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.refuse(name, f"to {short(value)}, which is not a number")
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number of at least 1.

        Raises:
            ActmaxError: as :meth:`number`, or it is smaller or has a fraction.
        """
        value = self.number(name, default)
        if value != int(value) or not 1 <= value < 2**31:
            raise self.refuse(name, f"to {short(value)}, which is not a whole number of at least 1")
        return int(value)

    def neutral(self, name: str, *values: Any) -> None:
        """Accept a setting that has one of the values without effect.

        Raises:
            ActmaxError: it has another.
        """
        value = self.get(name)
        for one in value if isinstance(value, list) else [value]:
            if one is not None and one not in values:
                raise self.refuse(name, f"to {short(one)}, which reading from GGUF does not support")

    def refuse_rest(self, harmless: Iterable[str]) -> None:
        """Refuse the keys of the architecture that nobody asked for.

        Raises:
            ActmaxError: the sentence names one.
        """
        start = f"{self.model.architecture}."
        for key in self.model.fields:
            name = key.removeprefix(start)
            if key.startswith(start) and name not in self.used and name not in harmless:
                raise self.refuse(name, "which reading from GGUF does not support")


def numbers_of(model: GgufModel, name: str) -> list[float]:
    """The values of a small tensor as a list.

    Raises:
        ActmaxError: it is not stored as plain numbers.
    """
    tensor = model.tensors[name]
    if tensor.tensor_type.name != "F32":
        raise _unread(model.label, repr(name), str(tensor.tensor_type.name))
    values: Sequence[float] = tensor.data.reshape(-1).astype(np.float64).tolist()
    return list(values)
