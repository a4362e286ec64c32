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
from actmax.checks.run import QUICK, gather, judged, sample_of
from actmax.checks.settings import CheckSettings, MeasureSettings
from actmax.checks.soft_batch import SoftProtocol
from actmax.checks.texts import GIVEN, SourcedText
from actmax.corpus.corpus import open_corpus
from actmax.corpus.windows import Windows, windows_of
from actmax.errors import ActmaxError
from actmax.inputs.bos import bos_id
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.results.check import CheckResult, CorpusRead
from actmax.settings import keywords, provenance

WINDOW = 128


@keywords(CheckSettings)
def check(model: Model, unit: str | Unit, settings: CheckSettings) -> CheckResult:
    """Check all assumptions, each with a number, controls and a picture.

    Ctrl-C keeps the checks that are done; the result then says that it is not complete.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``.
        settings: as keyword arguments.

    Raises:
        ActmaxError: an unknown unit, corpus or method, or a setting out of range.
        KeyboardInterrupt: stopped before the first check was done.
    """
    began = time.perf_counter()
    target = unit if isinstance(unit, Unit) else resolve(model, unit)
    name = named_method(settings.method)
    windows = windows_for(model, settings)
    seed, progress = settings.seed, settings.progress
    sample = sample_of(model, target, windows, seed, settings.others, progress)
    found = [SourcedText(GIVEN, text) for text in settings.text]
    if name is not None:
        searched = search_text(sample, name, seed=seed, bos=settings.bos, progress=progress)
        if not searched.complete:
            raise KeyboardInterrupt
        found.append(searched.text)
    protocol = protocol_of(settings)
    material = gather(sample, seed, protocol=protocol, texts=found, progress=progress)
    battery = judged(material, shuffled=settings.shuffled, progress=progress)
    return CheckResult(
        unit=target.name,
        site=target.site.name,
        index=target.index,
        model=model.name,
        seed=seed,
        corpus=described(windows),
        settings=asdict(protocol) | provenance(settings) | {"others": len(sample.others), "method": name},
        checks=battery.checks,
        shuffled=settings.shuffled and battery.complete,
        others=tuple(other.name for other in sample.others),
        seconds=time.perf_counter() - began,
        manifest=manifest_of(model, seed=seed, bos=settings.bos, corpus_sha256=windows.tokens.text_sha256),
        complete=battery.complete,
        conclusion=(concluded(battery.checks),) if battery.measured else (),
        methods=descriptions(),
    )


def protocol_of(settings: MeasureSettings) -> SoftProtocol:
    """How the vectors are optimised."""
    return replace(QUICK, steps=settings.steps, length=settings.length)


def windows_for(model: Model, settings: MeasureSettings) -> Windows:
    """The corpus as the model reads it.

    Raises:
        ActmaxError: it cannot be read.
    """
    corpus = settings.corpus
    if isinstance(corpus, Windows):
        return corpus
    if not isinstance(corpus, str | os.PathLike | Sequence):
        raise ActmaxError("The corpus must be a name, a path, several of them, or windows.")
    names = os.fspath(corpus) if isinstance(corpus, str | os.PathLike) else list(corpus)
    most = settings.max_tokens or None
    tokens = open_corpus(names, model.tokenizer, max_tokens=most, progress=settings.progress)
    return windows_of(
        tokens,
        length=min(WINDOW, model.context),
        bos=bos_id(model.tokenizer, settings.bos),
        max_tokens=most,
    )


def described(windows: Windows) -> CorpusRead:
    """What was read."""
    tokens = windows.tokens
    return CorpusRead(tokens.name, tokens.text_sha256, windows.n_tokens, tokens.attribution)
