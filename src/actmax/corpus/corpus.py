"""Corpora by name or path, tokenised once.

1. A name becomes a :class:`~actmax.corpus.source.CorpusSource`: the default corpus, files and folders,
   stdin, or a data set of the hub.
2. Its documents are streamed into the cache as UTF-8, and hashed on the way; what cannot be read is counted.
3. They are tokenised there, in the cache too. Both are found again by content: the bytes of the files, the
   text, the tokenizer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from transformers import PreTrainedTokenizerBase

from actmax.assets.known import WIKIPEDIA_EXCERPT
from actmax.corpus.fields import TEXT_FIELD
from actmax.corpus.files import file_source, stdin_source
from actmax.corpus.hub import hub_source
from actmax.corpus.settings import DEFAULT_CORPUS as DEFAULT_CORPUS
from actmax.corpus.source import CorpusSource, Document, Skips
from actmax.corpus.store import stored_text, stored_tokens
from actmax.corpus.tokens import Tokens
from actmax.errors import ActmaxError
from actmax.progress import Progress, silent

READ_AHEAD = 8_000_000
"""The least number of characters that is read where a number of tokens is asked for, to spread the choice
over."""


def open_corpus(
    names: str | Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    field: str = TEXT_FIELD,
    max_tokens: int | None = None,
    progress: Progress = silent,
) -> Tokens:
    """A tokenised corpus, from the cache where it is stored there.

    Args:
        names: ``wikipedia-excerpt``, paths of files (:data:`actmax.corpus.formats.FORMATS`) or of folders of
            them, ``-`` for text on stdin, or ``hf:NAME``; several are read one after another.
        tokenizer: the model's.
        field: which field of a JSON object, or column of a table, holds the text.
        max_tokens: how many tokens of it will be read. Of a long corpus only the part is stored that they can
            be spread over (8 million characters, or at least 64 for each token); None stores all of it.
        progress: called while the corpus is fetched, read and tokenised.

    Raises:
        ActmaxError: there is no such corpus, it holds no text, is not text, or has no such field; a data set
            cannot be reached or is endless (``max_tokens`` is None); the disk of the cache is full.
    """
    given = [names] if isinstance(names, str) else list(names)
    if not given:
        raise ActmaxError(f"No corpus was named; give a path or {DEFAULT_CORPUS}.")
    # Rounded up to a power of two, so that asking for a few tokens more does not store the text again.
    limit = None if max_tokens is None else max(READ_AHEAD, 1 << (64 * max_tokens - 1).bit_length())
    sources = [source_of(name, field=field, bounded=limit is not None, progress=progress) for name in given]
    if field != TEXT_FIELD and not any(source.has_fields for source in sources):
        raise ActmaxError(f"{sources[0].name!r} is plain text and has no field {field!r}; leave --field out.")
    text = stored_text(_together(sources), limit, progress)
    return stored_tokens(text, tokenizer, progress)


def source_of(name: str, *, field: str, bounded: bool, progress: Progress = silent) -> CorpusSource:
    """The source of one named corpus.

    Raises:
        ActmaxError: as :func:`open_corpus`.
    """
    if name == DEFAULT_CORPUS:
        return _wikipedia(progress)
    if name == "-":
        return stdin_source(sys.stdin.buffer, terminal=sys.stdin.isatty())
    if name.startswith("hf:"):
        return hub_source(name.removeprefix("hf:"), field=field, bounded=bounded)
    return file_source(name, field=field)


def _wikipedia(progress: Progress) -> CorpusSource:
    from actmax.assets.asset import fetch_asset
    from actmax.corpus.wiki import read_articles

    path = fetch_asset(WIKIPEDIA_EXCERPT, progress)

    def documents(skips: Skips) -> Iterator[Document]:
        for article in read_articles(path):
            yield Document(article.title, article.text)

    return CorpusSource(
        DEFAULT_CORPUS,
        documents,
        key=WIKIPEDIA_EXCERPT.member_sha256,
        attribution=WIKIPEDIA_EXCERPT.attribution,
    )


def _together(sources: Sequence[CorpusSource]) -> CorpusSource:
    if len(sources) == 1:
        return sources[0]

    def documents(skips: Skips) -> Iterator[Document]:
        for source in sources:
            yield from source.documents(skips)

    keys = [source.key for source in sources]
    shown = [source.name for source in sources[:3]]
    more = f" + {len(sources) - 3} more" if len(sources) > 3 else ""
    attributions = dict.fromkeys(source.attribution for source in sources if source.attribution)
    return CorpusSource(
        " + ".join(shown) + more,
        documents,
        key=None if None in keys else "\n".join(str(key) for key in keys),
        attribution="; ".join(attributions),
        has_fields=any(source.has_fields for source in sources),
    )
