"""``actmax.check``: the assumptions of activation maximization, measured for one unit."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from actmax.api.provenance import manifest_of
from actmax.api.searched import named_method, search_text
from actmax.checks.conclusion import concluded
from actmax.checks.registry import descriptions
from actmax.checks.run import OTHERS, QUICK, gather, judged, sample_of
from actmax.checks.texts import GIVEN, SourcedText
from actmax.corpus.corpus import DEFAULT_CORPUS, open_corpus
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy, bos_id
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.progress import Progress, silent
from actmax.results.check import CheckResult, CorpusRead

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
    """Check all assumptions, each with a number, controls and a picture.

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
        progress: called with the stage and how far it is.

    Raises:
        ActmaxError: an unknown unit, corpus or method, or a setting out of range.
        KeyboardInterrupt: stopped before the first check was done.
    """
    began = time.perf_counter()
    target = unit if isinstance(unit, Unit) else resolve(model, unit)
    refuse_impossible(others=others, steps=steps, length=length)
    name = None if method is None else named_method(method)
    windows = windows_for(model, corpus, max_tokens=max_tokens, bos=bos, progress=progress)
    sample = sample_of(model, target, windows, seed, others, progress)
    found = [SourcedText(GIVEN, text) for text in texts]
    if name is not None:
        searched = search_text(sample, name, seed=seed, bos=bos, progress=progress)
        if not searched.complete:
            raise KeyboardInterrupt
        found.append(searched.text)
    protocol = replace(QUICK, steps=steps, length=length)
    material = gather(sample, seed, protocol=protocol, texts=found, progress=progress)
    battery = judged(material, shuffled=shuffled, progress=progress)
    return CheckResult(
        unit=target.name,
        site=target.site.name,
        index=target.index,
        model=model.name,
        seed=seed,
        corpus=described(windows),
        settings=asdict(protocol) | {"others": len(sample.others), "max_tokens": max_tokens},
        checks=battery.checks,
        shuffled=shuffled and battery.complete,
        others=tuple(other.name for other in sample.others),
        seconds=time.perf_counter() - began,
        manifest=manifest_of(model, seed=seed, bos=bos, corpus_sha256=windows.tokens.text_sha256),
        complete=battery.complete,
        conclusion=(concluded(battery.checks),) if battery.measured else (),
        methods=descriptions(),
    )


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


def refuse_impossible(*, others: int, steps: int, length: int) -> None:
    """Refuse settings with which nothing can be said.

    Raises:
        ActmaxError: the sentence names the bounds.
    """
    if others < 1:
        raise ActmaxError(
            f"--others must be at least 1 (got {others}); with 19 or more a unit can stand out."
        )
    if steps < 1:
        raise ActmaxError(f"--steps must be at least 1 (got {steps}).")
    if length < 1:
        raise ActmaxError(f"--length must be at least 1 (got {length}).")


def described(windows: Windows) -> CorpusRead:
    """What was read."""
    tokens = windows.tokens
    return CorpusRead(tokens.name, tokens.text_sha256, windows.n_tokens, tokens.attribution)
