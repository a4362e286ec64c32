"""A corpus in the cache: its text once, and its tokens once per tokenizer.

Both are folders of flat files and a manifest, written whole or not at all. The text's folder is named by what
it was read from, or by its own hash where that is only known when it has been read; the tokens' folder by the
hashes of text and tokenizer.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from transformers import PreTrainedTokenizerBase

from actmax.cache import cache_dir, locked, plain_os_errors
from actmax.corpus.packed import Packed, open_array, open_packed
from actmax.corpus.source import CorpusSource, Skips, cut_parts
from actmax.corpus.tokens import Tokens, encode, tokenizer_hash
from actmax.errors import ActmaxError
from actmax.files import placing
from actmax.progress import Progress

VERSION = 2
"""The version of how corpora are read and cleaned; raise it when one source gives other text or tokens."""

MANIFEST = "manifest.json"
_REPORT_EVERY = 1 << 20


@dataclass(frozen=True)
class StoredText:
    """The documents of a corpus, in the cache."""

    name: str
    attribution: str
    sha256: str
    skipped: tuple[str, ...]
    texts: Packed
    names: Packed


def stored_text(source: CorpusSource, limit: int | None, progress: Progress) -> StoredText:
    """The documents of a source, up to ``limit`` characters (the document that reaches it is whole).

    Raises:
        ActmaxError: the source holds no text or cannot be read; the cache cannot be written to or is full.
    """
    root = cache_dir() / "corpora"
    with plain_os_errors(f"Storing the corpus {source.name!r}", root):
        root.mkdir(parents=True, exist_ok=True)
    if source.key is None:
        with (
            plain_os_errors(f"Storing the corpus {source.name!r}", root),
            tempfile.TemporaryDirectory(prefix=".reading-", dir=root) as scratch,
        ):
            made = Path(scratch) / "text"
            sha256 = _write_text(source, limit, made, progress)
            target = root / f"{_plain(source.name)}-{sha256[:16]}"
            with locked(target):
                if not (target / MANIFEST).is_file():
                    with placing(target) as workshop:
                        shutil.move(made, workshop / target.name)
        return _open_text(target, source)
    key = hashlib.sha256(f"{VERSION}\n{limit}\n{source.key}".encode()).hexdigest()
    target = root / f"{_plain(source.name)}-{key[:16]}"
    if not (target / MANIFEST).is_file():
        with locked(target), plain_os_errors(f"Storing the corpus {source.name!r}", root):
            if not (target / MANIFEST).is_file():
                with placing(target) as workshop:
                    _write_text(source, limit, workshop / target.name, progress)
    return _open_text(target, source)


def stored_tokens(text: StoredText, tokenizer: PreTrainedTokenizerBase, progress: Progress) -> Tokens:
    """The tokens of a stored text.

    Raises:
        ActmaxError: the tokenizer is not a fast one; the cache cannot be written to or its disk is full.
    """
    kind = tokenizer_hash(tokenizer)
    root = cache_dir() / "corpora"
    target = root / f"{_plain(text.name)}-{text.sha256[:16]}-tokens-{kind[:16]}-v{VERSION}"
    if not (target / MANIFEST).is_file():
        with locked(target), plain_os_errors(f"Tokenising {text.name!r}", root):
            if not (target / MANIFEST).is_file():
                with placing(target) as workshop:
                    _write_tokens(text, tokenizer, workshop / target.name, progress)
    return Tokens(
        name=text.name,
        text_sha256=text.sha256,
        tokenizer_sha256=kind,
        attribution=text.attribution,
        texts=text.texts,
        names=text.names,
        ids=open_array(target / "ids", np.dtype("<i4")),
        starts=open_array(target / "starts", np.dtype("<u4")),
        ends=open_array(target / "ends", np.dtype("<u4")),
        bounds=open_array(target / "bounds", np.dtype("<i8")),
        tokenizer=tokenizer,
        skipped=text.skipped,
    )


def _write_text(source: CorpusSource, limit: int | None, folder: Path, progress: Progress) -> str:
    """Stream the documents into a new folder, and return the SHA-256 of the text."""
    folder.mkdir()
    skips, digest = Skips(), hashlib.sha256()
    characters = reported = 0
    with (
        (folder / "texts").open("wb") as texts,
        (folder / "texts-bounds").open("wb") as text_bounds,
        (folder / "names").open("wb") as names,
        (folder / "names-bounds").open("wb") as name_bounds,
    ):
        _bound(text_bounds, 0)
        _bound(name_bounds, 0)
        for document in source.documents(skips):
            if not document.text.strip():
                skips.add("empty document was left out", "empty documents were left out")
                continue
            for part in cut_parts(document):
                data = _utf8(part.text, skips)
                digest.update(len(data).to_bytes(8, "little"))
                digest.update(data)
                texts.write(data)
                names.write(part.name.encode("utf-8", errors="replace"))
                _bound(text_bounds, texts.tell())
                _bound(name_bounds, names.tell())
                characters += len(part.text)
            if characters - reported > _REPORT_EVERY:
                reported = characters
                progress("reading", characters, limit)
            if limit is not None and characters >= limit:
                break
    if not characters:
        said = "; ".join(skips.say())
        raise ActmaxError(
            f"The corpus {source.name!r} holds no text{f' ({said})' if said else ''}; give it some."
        )
    record = {"sha256": digest.hexdigest(), "skipped": list(skips.say())}
    (folder / MANIFEST).write_text(json.dumps(record), encoding="utf-8")
    return digest.hexdigest()


def _open_text(folder: Path, source: CorpusSource) -> StoredText:
    record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return StoredText(
        name=source.name,
        attribution=source.attribution,
        sha256=record["sha256"],
        skipped=tuple(record["skipped"]),
        texts=open_packed(folder / "texts", folder / "texts-bounds"),
        names=open_packed(folder / "names", folder / "names-bounds"),
    )


def _write_tokens(
    text: StoredText, tokenizer: PreTrainedTokenizerBase, folder: Path, progress: Progress
) -> None:
    folder.mkdir()
    total = int(text.texts.bounds[-1])
    read = documents = tokens = 0
    with (
        (folder / "ids").open("wb") as ids,
        (folder / "starts").open("wb") as starts,
        (folder / "ends").open("wb") as ends,
        (folder / "bounds").open("wb") as bounds,
    ):
        _bound(bounds, 0)
        for chunk in encode(text.texts, tokenizer):
            ids.write(chunk.ids.astype("<i4").tobytes())
            starts.write(chunk.starts.astype("<u4").tobytes())
            ends.write(chunk.ends.astype("<u4").tobytes())
            for count in chunk.counts:
                tokens += count
                _bound(bounds, tokens)
            documents += len(chunk.counts)
            read = int(text.texts.bounds[documents])
            progress("tokenising", read, total)
    (folder / MANIFEST).write_text(json.dumps({"tokens": tokens}), encoding="utf-8")


def _bound(file: BinaryIO, value: int) -> None:
    file.write(value.to_bytes(8, "little"))


def _utf8(text: str, skips: Skips) -> bytes:
    """UTF-8; half surrogate pairs (JSON can hold them) become replacement characters and are counted."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        clean = text.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")
        skips.add(
            "half of a surrogate pair was replaced",
            "halves of surrogate pairs were replaced",
            clean.count("\ufffd") - text.count("\ufffd"),
        )
        return clean.encode("utf-8")


def _plain(name: str) -> str:
    """The name in characters that a folder's name may have."""
    return re.sub(r"[^\w.-]+", "_", name)[:40].strip("._") or "corpus"
