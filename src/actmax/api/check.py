"""``actmax.check``: the assumptions of activation maximization, measured for one unit."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import zip_longest

from actmax.api.provenance import manifest_of
from actmax.api.searched import named_method, search_text
from actmax.checks.battery import OTHERS, QUICK, Material, gather, measures, sample_of
from actmax.checks.measure import Measure
from actmax.checks.readability import FoundText
from actmax.checks.shuffled import shuffled_copy
from actmax.checks.verdicts import judge
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_id
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.progress import Progress, silent
from actmax.results.check import CheckResult, Read
from actmax.results.finding import Check

MAX_TOKENS = 12_288
WINDOW = 128


def check(
    model: Model,
    unit: str | Unit,
    *,
    corpus: str | os.PathLike[str] | Sequence[str] | Windows = DEFAULT_CORPUS,
    max_tokens: int | None = MAX_TOKENS,
    others: int = OTHERS,
    steps: int = QUICK.steps,
    length: int = QUICK.length,
    shuffled: bool = True,
    method: str | None = None,
    texts: Sequence[str] = (),
    bos: BosPolicy = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> CheckResult:
    """Check the four assumptions, each with a number, controls and a picture.

    Ctrl-C keeps the checks that are done; the result then says that it is not complete.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``.
        corpus: name, path or windows.
        max_tokens: of the corpus.
        others: random units of the site to compare with; below 19 none can stand out.
        steps: of soft ascent.
        length: positions that are optimised.
        shuffled: whether a copy with shuffled weights is checked too.
        method: also judge the best text of this token method.
        texts: further texts to judge.
        bos: whether windows begin with BOS.
        seed: everything random is drawn from it.
        progress: told how far it is.

    Raises:
        ActmaxError: an unknown unit, corpus or method, or a setting out of range.
        KeyboardInterrupt: stopped before the first check was done.
    """
    began = time.perf_counter()
    target = unit if isinstance(unit, Unit) else resolve(model, unit)
    check_settings(others=others, steps=steps, length=length)
    name = None if method is None else named_method(method)
    windows = windows_for(model, corpus, max_tokens=max_tokens, bos=bos, progress=progress)
    sample = sample_of(model, target, windows, seed, others, progress)
    found = [FoundText("given", text) for text in texts]
    if name is not None:
        searched = search_text(sample, name, seed=seed, bos=bos, progress=progress)
        if not searched.complete:
            raise KeyboardInterrupt
        found.append(searched.text)
    protocol = replace(QUICK, steps=steps, length=length)
    material = gather(sample, seed, protocol=protocol, texts=found, progress=progress)
    checks, whole = judged(material, shuffled=shuffled, progress=progress)
    return CheckResult(
        unit=target.name,
        site=target.site.name,
        index=target.index,
        model=model.name,
        seed=seed,
        corpus=described(windows),
        settings=asdict(protocol) | {"others": len(sample.others), "max_tokens": max_tokens},
        checks=checks,
        shuffled=shuffled and whole,
        others=tuple(other.name for other in sample.others),
        seconds=time.perf_counter() - began,
        manifest=manifest_of(model, seed=seed, bos=bos, corpus_sha256=windows.tokens.text_sha256),
        complete=whole,
    )


def judged(
    material: Material, *, shuffled: bool, progress: Progress = silent
) -> tuple[tuple[Check, ...], bool]:
    """The checks of some material against a shuffled copy, and whether all of them were finished.

    Raises:
        KeyboardInterrupt: stopped before the first was done.
    """
    sample = material.sample
    mine: list[Measure] = []
    control: list[Measure] = []
    try:
        for measure in measures(material, progress):
            mine.append(measure)
        if shuffled:
            progress("shuffling the weights", 0, None)
            copied = shuffled_copy(sample.model, material.seed)

            def tell(stage: str, done: int, total: int | None) -> None:
                progress(f"shuffled weights: {stage}", done, total)

            read = sample_of(copied, sample.unit, sample.windows, material.seed, len(sample.others), tell)
            there = gather(read, material.seed, protocol=material.protocol, progress=tell)
            control.extend(measures(there, tell, control=True))
    except KeyboardInterrupt:
        if not mine:
            raise
        return tuple(judge(*pair) for pair in zip_longest(mine, control)), False
    return tuple(judge(*pair) for pair in zip_longest(mine, control)), True


def windows_for(
    model: Model,
    corpus: str | os.PathLike[str] | Sequence[str] | Windows,
    *,
    max_tokens: int | None,
    bos: BosPolicy,
    progress: Progress,
) -> Windows:
    """A corpus as the model reads it."""
    if isinstance(corpus, Windows):
        return corpus
    names = os.fspath(corpus) if isinstance(corpus, str | os.PathLike) else list(corpus)
    tokens = open_corpus(names, model.tokenizer, max_tokens=max_tokens, progress=progress)
    return windows_of(
        tokens,
        length=min(WINDOW, model.context),
        bos=bos_id(model.tokenizer, bos),
        max_tokens=max_tokens,
    )


def check_settings(*, others: int, steps: int, length: int) -> None:
    """Refuse settings with which nothing can be said.

    Raises:
        ActmaxError: the sentence names the bounds.
    """
    if others < 1:
        raise ActmaxError(f"{others} units are nothing to compare with; give --others 19 or more.")
    if steps < 1 or length < 1:
        raise ActmaxError("The steps and the length are whole numbers from 1; give such.")


def described(windows: Windows) -> Read:
    """What was read."""
    tokens = windows.tokens
    return Read(tokens.name, tokens.text_sha256, windows.n_tokens, tokens.attribution)
