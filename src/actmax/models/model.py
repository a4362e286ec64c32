"""A frozen language model with its tokenizer: what every other part of actmax works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from actmax.dictionaries.dictionary import Dictionary
from actmax.models.families import Family


@dataclass(frozen=True)
class Source:
    """The origin of the weights, so that a result can be traced to them."""

    kind: Literal["default", "hub", "directory", "gguf", "memory"]
    location: str
    """Hub name or path as given by the user (never an absolute path of a cache)."""
    revision: str | None = None
    """The hub's commit, where there is one."""
    sha256: str | None = None
    """The hash of the GGUF file, or of the safetensors files (a hash of their hashes, by name)."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The name and SHA-256 of every file that was read; empty for a model in memory."""
    precision: str | None = None
    """The types in which the files hold the weights, the most frequent first: ``bfloat16``, ``Q4_1, F32``."""
    note: str = ""
    """A sentence where there was a choice of files; usually empty."""


@dataclass(frozen=True)
class Model:
    """A causal language model in eval mode whose weights ask for no gradient."""

    name: str
    """The name as results record it: ``smollm2-135m``, a hub name, or the last part of a path."""
    net: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    family: Family
    source: Source
    dictionaries: tuple[tuple[str, Dictionary], ...] = ()
    """The dictionaries by name; the latents of each are units of the model."""

    @property
    def device(self) -> torch.device:
        """The device of the embedding matrix."""
        return self.net.get_input_embeddings().weight.device  # type: ignore[return-value]

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the embedding matrix."""
        return self.net.get_input_embeddings().weight.dtype  # type: ignore[return-value]

    @property
    def n_blocks(self) -> int:
        """The number of transformer blocks."""
        return len(self.net.get_submodule(self.family.blocks))  # type: ignore[arg-type]

    @cached_property
    def embedding(self) -> Float[Tensor, "vocab d_model"]:
        """The output of the embedding module for each id (including Gemma's √d_model scale)."""
        module = self.net.get_submodule(self.family.embed)
        with torch.no_grad():
            vocab: int = module.weight.shape[0]  # type: ignore[index, assignment]
            rows: Tensor = module(torch.arange(vocab, device=self.device))
        return rows

    @property
    def _embedding_weight(self) -> Tensor:
        """The matrix as it is stored; its shape is asked for more often than its rows."""
        weight: Tensor = self.net.get_submodule(self.family.embed).weight  # type: ignore[assignment]
        return weight

    @property
    def d_model(self) -> int:
        """The width of the embedding matrix."""
        return int(self._embedding_weight.shape[1])

    @property
    def vocab_size(self) -> int:
        """The number of rows of the embedding matrix, which may exceed the tokenizer's vocabulary."""
        return int(self._embedding_weight.shape[0])

    @cached_property
    def has_tokens_beyond(self) -> bool:
        """Whether the tokenizer has more tokens than the embedding matrix has rows."""
        return len(self.tokenizer) > self.vocab_size

    @property
    def context(self) -> int:
        """The longest sequence that the position embeddings allow."""
        return int(getattr(self.net.config, "max_position_embeddings", 2**31 - 1))
