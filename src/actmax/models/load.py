"""From a name to a frozen model: the default, a hub name, a directory of safetensors, or a GGUF file.

1. Find the files; nothing pickled is opened and no code of the model's own is run.
2. Load weights and tokenizer, put them on the device, switch training off.
3. Run eight tokens through the first block as ids and as embeddings: if the activations differ, the
   embeddings that actmax optimises would not be what the model reads, and the model is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from actmax.assets.known import SMOLLM2
from actmax.errors import ActmaxError
from actmax.models.complaints import hushed, plain_errors
from actmax.models.default import DEFAULT_MODEL, default_model_dir
from actmax.models.directory import hash_of_hashes
from actmax.models.families import family_of
from actmax.models.gguf_file import converted, gguf_hash, gguf_hashes, record_of
from actmax.models.model import Model, Source
from actmax.models.placement import device_of, dtype_of
from actmax.models.pretrained import Pretrained, load_pretrained, reach_hub
from actmax.models.read import read
from actmax.models.sites import Site
from actmax.models.weights import check_finite
from actmax.progress import Progress, silent

_PROBE = 8


def load_model(
    name: str | os.PathLike[str] | None = None,
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "float32",
    revision: str | None = None,
    progress: Progress = silent,
) -> Model:
    """A language model, frozen, with its tokenizer.

    Args:
        name: None or ``smollm2-135m`` for the default model (fetched on first use); a directory with
            ``config.json``, ``model.safetensors`` and a tokenizer; a ``.gguf`` file; else a hub name.
        device: ``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        dtype: ``float32``, ``float64``, ``bfloat16`` or ``float16``.
        revision: Branch, tag or commit, for hub names.
        progress: Called while files are fetched and converted.

    Raises:
        ActmaxError: the model cannot be found, reached, read or trusted, or its architecture is unknown; the
            sentence names the remedy.
    """
    place, precision = device_of(device), dtype_of(dtype)
    location, label, source = _find(name, revision, progress)
    progress("loading", 0, None)
    loaded = load_pretrained(location, label, precision, revision)
    mover: Any = loaded.net  # (the stubs hide nn.Module.to)
    with hushed(), plain_errors(label):
        mover.to(place)
        return wrap(loaded.net, loaded.tokenizer, name=label, source=_traced(source, loaded))


def _traced(source: Source, loaded: Pretrained) -> Source:
    """A source with the files that were read; those of a GGUF model are known from its conversion."""
    if source.kind in ("default", "gguf"):
        return source
    files = loaded.files()
    weights = {path.name: files[path.name] for path in loaded.weights.paths}
    return replace(
        source,
        revision=loaded.folder.name if source.kind == "hub" else None,
        sha256=hash_of_hashes(weights),
        files=files,
        precision=loaded.precision,
        note=loaded.weights.note,
    )


def wrap(
    net: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None = None,
    name: str = "model",
    *,
    source: Source | None = None,
) -> Model:
    """A transformers or PEFT model in memory, switched to eval mode, whose weights then ask for no gradient.

    For a PEFT model (LoRA and the like) the model inside is used, whose modules contain the adapter's.

    Raises:
        ActmaxError: unknown architecture, weights that are not numbers, an adapter that acts outside of the
            model's modules, or the model treats embeddings differently from token ids.
    """
    if not isinstance(net, nn.Module):
        raise ActmaxError(f"wrap takes a model object, not {net!r}; use actmax.load for a name or path.")
    if tokenizer is None:
        raise ActmaxError("Give the model's tokenizer too: actmax.wrap(net, tokenizer).")
    inside = _inside_peft(net, name)
    inside.train(False)
    inside.requires_grad_(False)
    family = family_of(inside.config.model_type)
    model = Model(name, inside, tokenizer, family, source or Source("memory", name))
    check_finite(inside, name, model.source.precision)
    check_embeddings(model)
    return model


def _inside_peft(net: nn.Module, name: str) -> PreTrainedModel:
    if isinstance(net, PreTrainedModel):
        return net
    unwrap: Any = getattr(net, "get_base_model", None)
    if unwrap is None:
        raise ActmaxError(f"{name!r} is a {type(net).__name__}; wrap takes a transformers or PEFT model.")
    settings = dict(getattr(net, "peft_config", None) or {})
    prompts = [str(s.peft_type) for s in settings.values() if getattr(s, "is_prompt_learning", False)]
    if prompts:
        raise ActmaxError(
            f"The adapter of {name!r} ({prompts[0]}) puts vectors in front of the input, which is not a"
            " part of the model that actmax reads; use an adapter of the modules, such as LoRA."
        )
    return _inside_peft(unwrap(), name)


def check_embeddings(model: Model) -> None:
    """Run a few ids and their embeddings, and require that the first block agrees.

    One block is enough: a scale or an offset that only one path has enters before it, and no architecture in
    the family table looks at ids again further up (their tests compare all the way). So a large model costs
    one block, not two whole passes.

    Raises:
        ActmaxError: the block does not agree, or its activations are not finite.
    """
    module = model.net.get_submodule(model.family.embed)
    rows = int(model.net.get_input_embeddings().weight.shape[0])  # type: ignore[index]
    ids = (torch.arange(1, _PROBE + 1, device=model.device) * rows // (_PROBE + 2))[None, : model.context]
    site = Site("blocks.0.hook_resid_post", 0)
    with torch.no_grad():
        by_ids = read(model, [site], ids=ids)[site].float()
        by_embeds = read(model, [site], embeds=module(ids))[site].float()
    if not bool(torch.isfinite(by_ids).all()):
        raise ActmaxError(
            f"{model.name!r} gives activations that are not finite in"
            f" {str(model.dtype).removeprefix('torch.')}; load it with --dtype float32."
        )
    tolerance = 1e-4 if model.dtype in (torch.float32, torch.float64) else 3e-2
    apart = float((by_ids - by_embeds).abs().max() / by_ids.abs().max().clamp_min(1e-30))
    if apart > tolerance:
        raise ActmaxError(
            f"{model.name!r} treats embeddings differently from token ids (its first block differs by"
            f" {apart:.2g} of the largest activation), so what is optimised would not be its input;"
            " use another model or another version of transformers."
        )


def _find(
    name: str | os.PathLike[str] | None, revision: str | None, progress: Progress
) -> tuple[str, str, Source]:
    """The place to load from, the name in results, and the source."""
    text = DEFAULT_MODEL if name is None else os.fspath(name)
    if text == DEFAULT_MODEL:
        folder = default_model_dir(progress)
        hashes = {SMOLLM2.file_name: SMOLLM2.member_sha256}
        return str(folder), text, _from_gguf(Source("default", text), hashes, folder)
    path = Path(text).expanduser()
    label = path.absolute().name or text
    if path.is_dir():
        return str(path), label, Source("directory", text)
    if path.suffix.lower() == ".gguf" and path.is_file():
        hashes = gguf_hashes(path)
        folder = converted(path, name=path.stem, sha256=gguf_hash(hashes), progress=progress)
        return str(folder), label, _from_gguf(Source("gguf", text), hashes, folder)
    if path.is_file():
        raise ActmaxError(f"{text!r} is a file; --model takes a .gguf file, a directory, or a hub name.")
    if path.suffix.lower() == ".gguf" or _is_path(text):
        raise ActmaxError(f"There is no model at {text!r}; check the path.")
    reach_hub(text, revision)
    return text, text, Source("hub", text, revision=revision)


def _from_gguf(source: Source, hashes: Mapping[str, str], folder: Path) -> Source:
    """A source with the GGUF files that a converted directory was made of."""
    record = record_of(folder)
    precision = None if record is None else record.precision
    return replace(source, sha256=gguf_hash(hashes), files=dict(hashes), precision=precision)


def _is_path(text: str) -> bool:
    """Whether a name that does not exist on disk can only be a path (hub names have at most one slash)."""
    return not text or text[0] in "./~\\" or text.count("/") > 1 or "\\" in text or text.endswith("/")
