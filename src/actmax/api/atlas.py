"""Atlases from names: what ``actmax atlas`` does."""

from __future__ import annotations

import os
from pathlib import Path

from actmax.atlas.atlas import Atlas
from actmax.atlas.build import AtlasSettings
from actmax.atlas.build import build_atlas as record
from actmax.atlas.settings import BuildSettings
from actmax.corpus.corpus import open_corpus
from actmax.corpus.windows import windows_of
from actmax.inputs.bos import bos_id
from actmax.models.model import Model
from actmax.observation.recorder import keep_memory
from actmax.progress import Progress, silent


def open_atlas(folder: str | os.PathLike[str]) -> Atlas:
    """An atlas on disk.

    Raises:
        ActmaxError: the folder holds no atlas, or one that is not finished.
    """
    return Atlas.open(Path(folder))


def atlas_of(model: Model, folder: Path, settings: BuildSettings, progress: Progress = silent) -> Atlas:
    """Record every unit of some sites over a corpus, in one pass.

    Args:
        model: from :func:`actmax.load`.
        folder: where the atlas goes.
        settings: which text is read, which sites, and what is recorded.
        progress: called with how far it is.

    Raises:
        ActmaxError: a pattern or corpus that cannot be read, or a folder that holds something else.
        Interrupted: stopped; what was done is saved.
    """
    keep_memory()
    most = settings.max_tokens or None
    names = settings.corpus
    tokens = open_corpus(
        os.fspath(names) if isinstance(names, str | os.PathLike) else list(names),
        model.tokenizer,
        field=settings.field,
        max_tokens=most,
        progress=progress,
    )
    windows = windows_of(
        tokens,
        length=min(settings.window, model.context),
        bos=bos_id(model.tokenizer, settings.bos),
        max_tokens=most,
    )
    record(
        model,
        windows,
        folder,
        AtlasSettings(tuple(settings.sites), settings.top, settings.context, settings.include_sinks),
        resume=settings.resume,
        save_every=settings.save_every,
        progress=progress,
    )
    return Atlas.open(folder)
