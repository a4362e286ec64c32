"""What the name of a corpus stands for; known without reading it, and without torch."""

from __future__ import annotations

import os
from pathlib import Path

from actmax.corpus.settings import DEFAULT_CORPUS, CorpusNames, CutCorpus
from actmax.errors import ActmaxError

STDIN, HUB = "-", "hf:"
"""Text on stdin, and the prefix of a data set of the hub."""


def expanded(name: str) -> Path:
    """The path that a name is, with the user's folder for ``~``."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~nobody: this user does not exist
        return Path(name)


def check_corpora(names: CorpusNames | CutCorpus) -> None:
    """Check that every corpus that is a file or folder exists.

    Raises:
        ActmaxError: one is missing.
    """
    if isinstance(names, CutCorpus):
        return
    for name in [os.fspath(names)] if isinstance(names, str | os.PathLike) else names:
        if name in (DEFAULT_CORPUS, STDIN) or name.startswith(HUB):
            continue
        try:
            there = bool(name) and expanded(name).exists()
        except (OSError, ValueError):
            continue  # where it is read, the sentence says why it cannot be
        if not there:
            raise no_such_corpus(name)


def no_such_corpus(name: str) -> ActmaxError:
    """The error for a name that is neither a file nor a folder."""
    return ActmaxError(
        f"There is no corpus {name!r}: no file or folder has that name; give a path, or {DEFAULT_CORPUS}."
    )
