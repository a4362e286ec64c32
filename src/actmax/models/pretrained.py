"""The one place where transformers loads a model.

1. No code from a model's repository is ever run (``trust_remote_code=False``), and only safetensors are
   opened.
2. Every tensor of the files has its place in the model or is refused by name
   (:mod:`actmax.models.weights`); transformers would fill a missing weight with random numbers, leave out one
   that has no place, and continue.
3. Where there is a ``tokenizer.json`` it is the tokenizer, whatever class the config names: some classes
   replace the file's way of cutting text by their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi, try_to_load_from_cache
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils.hub import cached_file

from actmax.errors import ActmaxError
from actmax.models.complaints import hushed, plain_errors
from actmax.models.config_keys import check_config
from actmax.models.directory import ADAPTER, WeightFiles, check_directory, files_read, weight_files
from actmax.models.families import family_of
from actmax.models.weights import (
    Stored,
    check_places,
    check_shapes,
    precision_of,
    refuse_quantised,
    stored_tensors,
)

ATTENTION = "eager"
"""Plain matrix products and a softmax: the same arithmetic for every shape and device, where ``sdpa`` picks a
kernel by shape, device and mask (so a row alone and in a batch could differ), and right for architectures
that cap their attention scores. For the short sequences of a search it is not slower."""


@dataclass(frozen=True)
class Pretrained:
    """A model as transformers loaded it, and the files that it was read from."""

    net: PreTrainedModel
    """On the CPU."""
    tokenizer: PreTrainedTokenizerBase
    folder: Path
    """The directory that was read; for a hub name, where the hub's cache holds it."""
    weights: WeightFiles
    precision: str
    """The types in which the files hold the weights."""

    def files(self) -> dict[str, str]:
        """The name and SHA-256 of every file that was read (this reads them again)."""
        return files_read(self.folder, self.weights)


def load_pretrained(location: str, label: str, dtype: torch.dtype, revision: str | None) -> Pretrained:
    """Weights and tokenizer of a directory or hub name.

    Args:
        location: A directory, or a hub name.
        label: What error messages call it.
        dtype: Of the weights.
        revision: Branch, tag or commit on the hub.

    Raises:
        ActmaxError: the files are damaged, do not belong together, or are not what actmax can read.
    """
    common: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
    with hushed(), plain_errors(label, revision):
        folder = Path(location) if Path(location).is_dir() else None
        weights = None if folder is None else check_directory(folder)
        config = AutoConfig.from_pretrained(location, **common)
        family_of(config.model_type)
        check_config(config, label)
        if folder is not None and weights is not None:
            _check_stored(config, weights, label)
        tokenizer = _tokenizer(location, label, common)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            location,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            attn_implementation=ATTENTION,
            output_loading_info=True,
            **common,
        )
        net, info = loaded
        if getattr(net, "_hf_peft_config_loaded", False):
            raise ActmaxError(
                f"{label!r} holds an adapter that transformers applied to its model; merge the two with"
                " peft's merge_and_unload, save that, and load it instead."
            )
        if folder is None or weights is None:
            folder, weights = _snapshot(location, getattr(config, "_commit_hash", None) or revision)
        tensors = _check_stored(config, weights, label)
        check_places(net, tensors, info, label)
        return Pretrained(net, tokenizer, folder, weights, precision_of(tensors))


def _check_stored(config: Any, weights: WeightFiles, label: str) -> dict[str, Stored]:
    """Compare a config with the headers of the weight files, and return the tensors in these."""
    tensors = stored_tensors(weights.paths, label)
    settings = config.to_dict()
    refuse_quantised(settings, tensors, label)
    blocks = getattr(config.get_text_config(), "num_hidden_layers", None)
    if isinstance(blocks, int) and blocks > len(tensors):
        raise ActmaxError(
            f"{label!r} cannot be loaded: its config asks for {blocks} blocks and its weights hold"
            f" {len(tensors)} tensors; copy or fetch both again."
        )
    with torch.device("meta"):
        automatic: Any = AutoModelForCausalLM
        check_shapes(automatic.from_config(config, trust_remote_code=False), tensors, label)
    return tensors


def _snapshot(name: str, revision: str | None) -> tuple[Path, WeightFiles]:
    """The folder in the hub's cache that holds what was fetched, and the weights in it."""
    config = try_to_load_from_cache(name, "config.json", revision=revision)
    if not isinstance(config, str):
        raise ActmaxError(
            f"The cache of the hub does not hold the files of {name!r} that were loaded; try again."
        )
    return Path(config).parent, weight_files(Path(config).parent)


def _tokenizer(location: str, label: str, common: dict[str, Any]) -> PreTrainedTokenizerBase:
    """The tokenizer of ``tokenizer.json`` as it is; the class that the config names where there is none."""
    whole = cached_file(
        location,
        "tokenizer.json",
        revision=common["revision"],
        _raise_exceptions_for_missing_entries=False,
    )
    automatic: Any = AutoTokenizer if whole is None else PreTrainedTokenizerFast
    tokenizer: PreTrainedTokenizerBase = automatic.from_pretrained(location, **common)
    tokenizer.encode("a", add_special_tokens=False)  # settings of the wrong kind are only met here
    if not tokenizer.is_fast:
        raise ActmaxError(
            f"The tokenizer of {label!r} cannot tell where its tokens lie in the text; save it as a fast"
            " one, so that there is a tokenizer.json."
        )
    return tokenizer


def reach_hub(name: str, revision: str | None) -> None:
    """Ask the hub once for a model that its cache does not hold, so that an unreachable hub is known at once.

    (Left to itself, the download tries six times over 23 seconds.)

    Raises:
        ActmaxError: the hub cannot be reached, says that it has no such model or restricts access to it, or
            holds an adapter under that name.
    """
    with hushed(), plain_errors(name, revision):
        adapter = isinstance(try_to_load_from_cache(name, ADAPTER, revision=revision), str)
        if not adapter and not isinstance(
            try_to_load_from_cache(name, "config.json", revision=revision), str
        ):
            there = HfApi().model_info(name, revision=revision, timeout=10).siblings or ()
            adapter = any(file.rfilename == ADAPTER for file in there)
        if adapter:
            raise ActmaxError(
                f"{name!r} is or holds an adapter ({ADAPTER}); merge it into its model with peft's"
                " merge_and_unload and save that, or load it in Python and give it to actmax.wrap."
            )
