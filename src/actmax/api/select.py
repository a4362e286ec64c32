"""``actmax.select``: which units tell two kinds of text apart."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from actmax.api.provenance import manifest_of
from actmax.api.select_result import select_result
from actmax.corpus.corpus import open_corpus
from actmax.corpus.settings import DEFAULT_CORPUS, CorpusNames
from actmax.corpus.tokens import Tokens
from actmax.errors import ActmaxError
from actmax.inputs.bos import bos_id, bos_policy
from actmax.models.model import Model
from actmax.progress import Progress, silent
from actmax.results.select import SelectResult
from actmax.selectivity.files import has_labels
from actmax.selectivity.groups import FoundSamples, Group, SampleSource, WordsMode
from actmax.selectivity.named import BUILT_IN as BUILT_IN
from actmax.selectivity.named import both_labels, parse_group
from actmax.selectivity.run import Question, Read, analyse, find_samples, read_samples
from actmax.selectivity.settings import SelectSettings
from actmax.selectivity.sites import match_sites
from actmax.selectivity.store import save_activations
from actmax.settings import INTERNAL, keywords


@dataclass(frozen=True, kw_only=True)
class SelectArguments(SelectSettings):
    """The settings of ``select``, with what only Python can give."""

    b: Annotated[str | Group | None, INTERNAL] = field(default=None, kw_only=False)
    """The group that ``a`` is compared with; None where ``a`` is a file with two labels."""
    corpus: CorpusNames | Tokens | None = (DEFAULT_CORPUS,)  # type: ignore[assignment]  # frozen
    """Where words are looked up, frequencies counted and fresh text taken; None for none."""
    second: Annotated[tuple[str | Group, str | Group] | None, INTERNAL] = None
    """Two groups of an independent set, on which what the first set finds is validated; without it half of
    the documents are held out."""
    activations: Annotated[str | os.PathLike[str] | None, INTERNAL] = None
    """A folder for the activations of all samples, with their index."""
    progress: Annotated[Progress, INTERNAL] = silent
    """Called with the stages."""


@keywords(SelectArguments)
def select(model: Model, a: str | Group, settings: SelectArguments) -> SelectResult:
    """Compare two groups of text in every unit of some sites.

    Args:
        model: from :func:`actmax.load`.
        a: a group: a built-in name (``"negation"``), a rule (``"words:cat,dog"``, ``"regex:[0-9]+"``), a file
            (``"texts.csv#spam"``), or a :class:`~actmax.selectivity.groups.Group`.
        settings: what is asked, and how.

    Raises:
        ActmaxError: a group that is empty, has one member, overlaps the other or never occurs; settings that
            make no sense; activations that are not finite. The sentence names the remedy.
    """
    groups, second = _groups(a, settings)
    patterns = [settings.sites] if isinstance(settings.sites, str) else settings.sites
    sites = match_sites(model, patterns)
    policy = bos_policy(settings.bos)
    first = bos_id(model.tokenizer, policy)
    _check_context(model, settings.window + settings.after)
    tokens = _opened(model, settings)
    source = SampleSource(
        model.tokenizer, tokens, settings.window, settings.after, settings.samples, settings.space
    )
    question = Question(groups, second, source, settings, first)
    rng, progress = np.random.default_rng(settings.seed), settings.progress
    progress("finding", 0, None)
    found = find_samples(groups, second, source, rng)
    started = time.perf_counter()
    read = read_samples(model, question, found, sites, rng=rng, progress=progress)
    seconds = time.perf_counter() - started
    out = analyse(model, question, found, read, rng=rng, progress=progress)
    out.read_seconds = seconds
    if settings.activations is not None:
        _save(settings.activations, model, question, found, read)
    names = settings.corpus if tokens is None or not isinstance(settings.corpus, Tokens) else (tokens.name,)
    asked = replace(question, settings=replace(settings, corpus=names))
    manifest = manifest_of(
        model,
        seed=settings.seed,
        bos=f"{policy}: {'none' if first is None else f'id {first} begins every sample'}",
        corpus_sha256=None if tokens is None else tokens.text_sha256,
    )
    return select_result(out, asked, found, manifest)


def _groups(a: str | Group, settings: SelectArguments) -> tuple[tuple[Group, Group], tuple[Group, ...]]:
    """The two groups, and the second pair where one was given."""
    b = settings.b
    if b is None:
        if not isinstance(a, str) or not has_labels(a):
            raise ActmaxError("Give a second group with --b; only a file of records with labels holds two.")
        a, b = both_labels(a)
    groups = _group(a, settings.words), _group(b, settings.words)
    second = tuple(_group(one, settings.words) for one in settings.second or ())
    if settings.test == "paired" and any(group.needs_corpus for group in (*groups, *second)):
        raise ActmaxError(
            "Samples that are looked up in a corpus have no partners; use --test welch, or groups of matched"
            " texts such as negation-pairs and affirmation-pairs."
        )
    return groups, second


def _group(group: str | Group, words: WordsMode) -> Group:
    return group if isinstance(group, Group) else parse_group(group, words)


def _opened(model: Model, settings: SelectArguments) -> Tokens | None:
    """The corpus, tokenised."""
    corpus = settings.corpus
    if corpus is None or isinstance(corpus, Tokens):
        return corpus
    names = os.fspath(corpus) if isinstance(corpus, os.PathLike) else corpus
    return open_corpus(names, model.tokenizer, field=settings.field, progress=settings.progress)


def _check_context(model: Model, tokens: int) -> None:
    if tokens + 8 > model.context:
        raise ActmaxError(
            f"{tokens} tokens around a target are more than what {model.name} reads ({model.context});"
            " lower --window."
        )


def _save(
    folder: str | os.PathLike[str], model: Model, question: Question, found: list[FoundSamples], read: Read
) -> None:
    names = [group.name for group in (*question.groups, *question.second)]
    which = [name for name, of in zip(names, found, strict=True) for _ in of.samples]
    save_activations(folder, read.acts, read.samples, which, model=model.name, take=question.settings.token)
