"""The manifest of a result, filled from the model that made it."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from actmax.corpus.tokens import tokenizer_hash
from actmax.models.model import Model
from actmax.results.manifest import Manifest, command_line, library_versions


def manifest_of(
    model: Model,
    *,
    seed: int,
    bos: str,
    corpus_sha256: str | None = None,
    vocabulary_mask: Mapping[str, object] | None = None,
) -> Manifest:
    """Where a result comes from; the command line is recorded where ``actmax`` was run as a command."""
    as_command = sys.argv[:1] and sys.argv[0].endswith(("/actmax", "actmax/__main__.py"))
    return Manifest(
        model=model.name,
        revision=model.source.revision,
        sha256=model.source.sha256,
        tokenizer_sha256=tokenizer_hash(model.tokenizer),
        family=str(model.net.config.model_type),
        dtype=str(model.dtype).removeprefix("torch."),
        device=str(model.device),
        versions=library_versions(),
        command=command_line(sys.argv) if as_command else "",
        seed=seed,
        corpus_sha256=corpus_sha256,
        vocabulary_mask=vocabulary_mask,
        bos=bos,
        stored=model.source.precision,
        files=model.source.files,
    )
