"""Data sets of the hub, streamed: ``hf:NAME``, ``hf:NAME@CONFIG``, either with ``:SPLIT`` at the end.

No code of a data set is run, and no more of it is fetched than is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from actmax.corpus.fields import no_such_field, printable, text_in
from actmax.corpus.records import NO_TEXT
from actmax.corpus.source import CorpusSource, Document, Skips
from actmax.errors import ActmaxError

_NAME = re.compile(r"(?P<name>[^@]+?)(?:@(?P<config>[^:]+))?(?::(?P<split>\w+))?")


def hub_source(name: str, *, field: str, bounded: bool) -> CorpusSource:
    """A data set by its hub name (or a local folder that the ``datasets`` library can load).

    Raises:
        ActmaxError: ``datasets`` is not installed, the name is not one, or the stream has no bound.
    """
    parsed = _NAME.fullmatch(name)
    if parsed is None:
        raise ActmaxError(
            f"'hf:{name}' is not the name of a data set; write hf:NAME, hf:NAME@CONFIG or hf:NAME:SPLIT."
        )
    if not bounded:
        raise ActmaxError(f"hf:{name} is streamed and may never end; say how much to read with --max-tokens.")
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ActmaxError(
            "Reading hf: corpora needs the library datasets; run: pip install 'actmax[hub]'."
        ) from error
    split = parsed["split"] or "train"

    def documents(skips: Skips) -> Iterator[Document]:
        number = 0
        try:
            rows: Any = datasets.load_dataset(parsed["name"], parsed["config"], split=split, streaming=True)
            for row in rows:
                number += 1
                text = text_in(row, field)
                if isinstance(text, str):
                    yield Document(f"{split} row {number:,}", text)
                elif text is None and number == 1 and field not in row:
                    raise no_such_field(f"hf:{name}", field, list(row))
                else:
                    skips.add(NO_TEXT.one, NO_TEXT.many)
        except ActmaxError:
            raise
        except Exception as error:  # the library raises what its many parts raise
            raise _sentence(name, number, error) from error

    return CorpusSource(f"hf:{name}", documents, key=None, has_fields=True)


def _sentence(name: str, number: int, error: Exception) -> ActmaxError:
    said = printable(str(error), 200).rstrip(".")
    if number:
        return ActmaxError(f"Reading hf:{name} broke off at row {number:,} ({said}); try again.")
    return ActmaxError(
        f"The data set hf:{name} cannot be loaded ({type(error).__name__}: {said}); check its name, config"
        " and split, and that you are online."
    )
