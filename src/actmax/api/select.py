"""``actmax.select``: which units tell two kinds of text apart."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import get_args

import numpy as np

from actmax.api.provenance import manifest_of
from actmax.api.select_account import account
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.tokens import Tokens
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_id, bos_policy
from actmax.models.model import Model
from actmax.progress import Progress, silent
from actmax.results.select import SelectResult
from actmax.selectivity.compare import Scope, Test, check_settings
from actmax.selectivity.extract import Batching, Take
from actmax.selectivity.files import has_labels
from actmax.selectivity.groups import Group, Source, Space, WordsMode
from actmax.selectivity.named import BUILT_IN as BUILT_IN
from actmax.selectivity.named import both_labels, parse_group
from actmax.selectivity.run import Hold, Settings, analyse, find_samples, read_samples
from actmax.selectivity.sites import NEURONS, match_sites
from actmax.selectivity.store import save_activations
from actmax.stats.heldout import Correction


def select(
    model: Model,
    a: str | Group,
    b: str | Group | None = None,
    *,
    sites: str | Sequence[str] = NEURONS,
    corpus: str | Sequence[str] | Tokens | None = DEFAULT_CORPUS,
    second: tuple[str | Group, str | Group] | None = None,
    words: WordsMode = "auto",
    space: Space = "with",
    token: Take = "last",  # noqa: S107
    window: int = 32,
    after: int = 0,
    samples: int = 500,
    test: Test = "welch",
    alpha: float = 0.05,
    correction: Correction = "bh",
    scope: Scope = "model",
    permutations: int = 200,
    probe: bool = True,
    context: bool = True,
    top: int = 50,
    heat: int = 6,
    field: str = "text",
    bos: BosPolicy = "auto",
    include_sinks: bool = False,
    batching: Batching = "packed",
    hold: Hold = "documents",
    seed: int = 0,
    activations: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> SelectResult:
    """Compare two groups of text in every unit of some sites.

    Args:
        model: from :func:`actmax.load`.
        a: a group: a built-in name (``"negation"``), a rule (``"words:cat,dog"``, ``"regex:[0-9]+"``), a file
            (``"texts.csv#spam"``), or a :class:`~actmax.selectivity.groups.Group`.
        b: what it is compared with; may be left out where ``a`` is a file with two labels.
        sites: patterns such as ``"blocks.*.mlp.hook_pre"``.
        corpus: where words are looked up, frequencies counted and fresh text taken; None for none.
        second: two groups of an independent set, on which what the first set finds is validated; without it
            half of the documents are held out.
        words: whether word lists are read alone or in the corpus.
        space: whether a word that is read alone has its leading space.
        token: which token of a target of several is read.
        window: tokens of context in front of a target in the corpus.
        after: tokens read after it.
        samples: of each group at most.
        test: what the reported p-value is of.
        alpha: the level.
        correction: for many tests: ``bh`` (Benjamini-Hochberg), ``bonferroni`` or ``none``.
        scope: whether the correction counts all units or those of a site.
        permutations: shuffles for the largest statistic by chance; 0 for none.
        probe: fit a sparse probe over many units.
        context: follow the targets' vectors through the blocks, in context and alone.
        top: units in the result (all are in its tensors).
        heat: units whose values over fresh text are recorded.
        field: which field of a corpus's JSON objects holds the text.
        bos: whether samples begin with BOS.
        include_sinks: keep samples whose target is an attention sink.
        batching: batches of one length (``packed``), or padded on the right.
        hold: what the held-out half has nothing of in common with the other: ``documents`` or ``words``.
        seed: everything random is drawn from it.
        activations: a folder for the activations of all samples, with their index.
        progress: told of the stages.

    Raises:
        ActmaxError: a group that is empty, has one member, overlaps the other or never occurs; settings that
            make no sense; activations that are not finite. The sentence names the mend.
    """
    check_settings(test=test, alpha=alpha, correction=correction, scope=scope)
    _check(window=window, after=after, samples=samples, permutations=permutations, top=top, heat=heat)
    if b is None:
        if not isinstance(a, str) or not has_labels(a):
            raise ActmaxError("Give a second group with --b; only a file of records with labels holds two.")
        a, b = both_labels(a)
    groups = [_group(one, words) for one in (a, b)]
    others = [_group(one, words) for one in second or ()]
    if test == "paired" and any(group.needs_corpus for group in (*groups, *others)):
        raise ActmaxError(
            "Samples that are looked up in a corpus have no partners; use --test welch, or groups of matched"
            " texts such as negation-pairs and affirmation-pairs."
        )
    chosen = match_sites(model, [sites] if isinstance(sites, str) else sites)
    policy = bos_policy(bos)
    first = bos_id(model.tokenizer, policy)
    _check_context(model, window + after)
    tokens = corpus
    if isinstance(corpus, str) or (corpus is not None and not isinstance(corpus, Tokens)):
        tokens = open_corpus(corpus, model.tokenizer, field=field, progress=progress)
    assert tokens is None or isinstance(tokens, Tokens)  # noqa: S101  (for the type checker)
    rng = np.random.default_rng(seed)
    source = Source(model.tokenizer, tokens, window, after, samples, space)
    if hold not in get_args(Hold):
        raise ActmaxError(f"{hold!r} cannot be held out; use {' or '.join(get_args(Hold))}.")
    settings = Settings(
        token,
        test,
        alpha,
        correction,
        scope,
        permutations,
        probe,
        context,
        heat,
        include_sinks,
        batching,
        hold,
    )
    progress("finding", 0, None)
    found = find_samples(groups, others, source, rng)
    started = time.perf_counter()
    read = read_samples(model, found, chosen, settings, bos=first, rng=rng, progress=progress)
    seconds = time.perf_counter() - started
    outcome = analyse(model, read, found, groups, source, settings, bos=first, rng=rng, progress=progress)
    outcome.read_seconds = seconds
    if activations is not None:
        names = [group.name for group in (*groups, *others)]
        which = [name for name, of in zip(names, found, strict=True) for _ in of.samples]
        save_activations(activations, read.acts, read.samples, which, model=model.name, take=token)
    manifest = manifest_of(
        model,
        seed=seed,
        bos=f"{policy}: {'none' if first is None else f'id {first} begins every sample'}",
        corpus_sha256=None if tokens is None else tokens.text_sha256,
    )
    return account(
        outcome,
        model,
        groups,
        others,
        found,
        source,
        settings,
        top=top,
        manifest=manifest,
        bos=first is not None,
    )


def _group(group: str | Group, words: WordsMode) -> Group:
    return group if isinstance(group, Group) else parse_group(group, words)


def _check(**counts: int) -> None:
    least = {"samples": 2, "top": 1}
    for name, value in counts.items():
        if value < least.get(name, 0):
            raise ActmaxError(f"--{name} is {value}; give at least {least.get(name, 0)}.")


def _check_context(model: Model, tokens: int) -> None:
    if tokens + 8 > model.context:
        raise ActmaxError(
            f"{tokens} tokens around a target are more than what {model.name} reads ({model.context});"
            " lower --window."
        )
