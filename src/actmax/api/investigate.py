"""``actmax.investigate``: the whole story of one unit, from one reading and one batch of searches."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from actmax.api.check import (
    MAX_TOKENS,
    check_settings,
    described,
    judged,
    windows_for,
)
from actmax.api.provenance import manifest_of
from actmax.api.reproduce import of_optima
from actmax.api.searched import named_method, search_text
from actmax.checks.battery import OTHERS, QUICK, Material, gather, sample_of
from actmax.checks.likeness import agreement_numbers, resemblances
from actmax.checks.one_feature import commonest, strongest_examples
from actmax.checks.readability import DECODED, FoundText, Judged, judge_texts
from actmax.checks.sample import Sample
from actmax.checks.story import Facts, conclusion
from actmax.corpus.corpus import DEFAULT_CORPUS
from actmax.corpus.token_text import token_text
from actmax.corpus.windows import Windows
from actmax.errors import ActmaxError
from actmax.inputs.bos import BosPolicy
from actmax.models.model import Model
from actmax.models.sites import Unit, resolve
from actmax.observation.observation import observe_unit
from actmax.progress import Progress, silent
from actmax.results.finding import Check, Number, Passage, Picture, Series
from actmax.results.investigate import InvestigateResult, Seen, Soft, Text
from actmax.results.observed_unit import UnitObservation
from actmax.results.reproduce import ReproduceResult

RUNS = 10
_SHOWN = 10


@dataclass
class _Story:
    """What is known so far."""

    seen: Seen
    soft: Soft | None = None
    texts: tuple[Text, ...] = ()
    agreement: tuple[Number, ...] = ()
    pictures: tuple[Picture, ...] = ()
    reproduced: ReproduceResult | None = None
    checks: tuple[Check, ...] = ()
    conclusion: tuple[str, ...] = ()
    complete: bool = False
    searched: Text | None = None
    """Of the search over tokens."""


def investigate(
    model: Model,
    unit: str | Unit,
    *,
    corpus: str | os.PathLike[str] | Sequence[str] | Windows = DEFAULT_CORPUS,
    max_tokens: int | None = MAX_TOKENS,
    runs: int = RUNS,
    others: int = OTHERS,
    steps: int = QUICK.steps,
    length: int = QUICK.length,
    shuffled: bool = True,
    method: str | None = "text",
    texts: Sequence[str] = (),
    bos: BosPolicy = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> InvestigateResult:
    """Observation, intervention, their agreement, reproducibility, the four checks, and three sentences.

    One reading of the corpus and one batch of soft ascents serve all parts. Once the corpus has been read
    Ctrl-C keeps what is done; the result then says that it is not complete.

    Args:
        model: from :func:`actmax.load`.
        unit: ``SITE:INDEX``.
        corpus: name, path or windows.
        max_tokens: of the corpus.
        runs: of soft ascent.
        others: random units of the site to compare with.
        steps: of soft ascent.
        length: positions that are optimised.
        shuffled: whether a copy with shuffled weights is checked too.
        method: the token method that searches text; None for none.
        texts: further texts to judge.
        bos: whether windows begin with BOS.
        seed: everything random is drawn from it.
        progress: told how far it is.

    Raises:
        ActmaxError: an unknown unit, corpus or method, or a setting out of range.
        KeyboardInterrupt: stopped before the corpus had been read; there is nothing to keep.
    """
    began = time.perf_counter()
    target = unit if isinstance(unit, Unit) else resolve(model, unit)
    check_settings(others=others, steps=steps, length=length)
    if runs < 2:
        raise ActmaxError(f"{runs} runs cannot be compared; give --runs at least 2.")
    name = None if method is None else named_method(method)
    windows = windows_for(model, corpus, max_tokens=max_tokens, bos=bos, progress=progress)
    sample = sample_of(model, target, windows, seed, others, progress)
    protocol = replace(QUICK, steps=steps, length=length)
    story = _Story(_seen(sample))
    try:
        material = gather(sample, seed, protocol=protocol, runs=runs, progress=progress)
        story.reproduced = of_optima(model, target, sample.others, material.optima, protocol, seed, began)
        found, stopped = [FoundText("given", text) for text in texts], False
        if name is not None:
            try:
                searched = search_text(sample, name, seed=seed, bos=bos, progress=progress)
                found.append(searched.text)
                stopped = not searched.complete
            except KeyboardInterrupt:
                stopped = True
        material = replace(material, texts=tuple(found))
        _intervene(story, material, name)
        if stopped:
            raise KeyboardInterrupt
        story.checks, story.complete = judged(material, shuffled=shuffled, progress=progress)
        if len(story.checks) == 4:
            story.conclusion = conclusion(_facts(story, sample), story.checks)
    except KeyboardInterrupt:
        story.complete = False
    return InvestigateResult(
        unit=target.name,
        site=target.site.name,
        index=target.index,
        model=model.name,
        seed=seed,
        conclusion=story.conclusion,
        corpus=described(windows),
        seen=story.seen,
        soft=story.soft,
        texts=story.texts,
        agreement=story.agreement,
        pictures=story.pictures,
        reproduced=story.reproduced,
        checks=story.checks,
        shuffled=shuffled and story.complete,
        others=tuple(other.name for other in sample.others),
        settings=asdict(protocol)
        | {"runs": runs, "others": len(sample.others), "max_tokens": max_tokens, "method": name},
        seconds=time.perf_counter() - began,
        manifest=manifest_of(model, seed=seed, bos=bos, corpus_sha256=windows.tokens.text_sha256),
        complete=story.complete,
    )


def _seen(sample: Sample) -> Seen:
    observed = observe_unit(sample.readings, 0, top=_SHOWN, context=12)
    return Seen(
        observed.count,
        observed.mean,
        observed.std,
        observed.min,
        observed.max,
        observed.density,
        _passages(observed, "top"),
        _passages(observed, "bottom"),
        tuple(winner.token for winner in observed.top_tokens[:_SHOWN]),
    )


def _passages(observed: UnitObservation, end: str) -> tuple[Passage, ...]:
    return tuple(
        Passage(one.activation, one.text_before, one.token, one.text_after) for one in getattr(observed, end)
    )


def _intervene(story: _Story, material: Material, method: str | None) -> None:
    sample, optima = material.sample, material.optima
    rows = optima.rows(sample.unit)
    best = max(rows, key=lambda row: float(optima.final[row]))
    tokenizer = sample.model.tokenizer
    top = float(sample.values[0][sample.kept].max())
    reached = float(optima.final[best])
    story.soft = Soft(
        reached,
        float(optima.on_tokens[best]),
        tuple(token_text(tokenizer, int(i)) for i in optima.ids[best]),
        reached / top if top > 0 else None,
        len(rows),
    )
    decoded = [FoundText(DECODED, str(tokenizer.decode(optima.ids[row].tolist()))) for row in rows]
    found = judge_texts(sample, [*decoded, *material.texts])
    alike = resemblances(sample, found)
    story.texts = tuple(
        Text(
            one.source,
            one.text,
            one.activation,
            one.cross_entropy,
            one.activation / top if top > 0 else None,
            like,
        )
        for one, like in zip(found, alike, strict=True)
    )
    story.searched = next((one for one in story.texts if one.source == method), None)
    story.agreement = agreement_numbers(sample, found, alike, reached)
    story.pictures = (_scale(material, found, rows),)


def _scale(material: Material, texts: Sequence[Judged], rows: Sequence[int]) -> Picture:
    sample, optima = material.sample, material.optima
    values = np.sort(sample.values[0][sample.kept].astype(np.float64))
    some = values[:: max(1, len(values) // 400)].tolist()
    strongest = [float(sample.values[0][place]) for place in strongest_examples(sample)]
    return Picture(
        "strips",
        "How large does it get?",
        "activation",
        "",
        (
            Series("soft optima", tuple(float(optima.final[row]) for row in rows), ()),
            Series("their nearest tokens", tuple(float(optima.on_tokens[row]) for row in rows), (), "other"),
            Series("texts found, strongest position", tuple(one.activation for one in texts), (), "other"),
            Series("strongest in the corpus", tuple(strongest), (), "control"),
            Series("all of the corpus", tuple(some), (), "control"),
        ),
        f"What {len(rows)} runs of free vectors reach, what their nearest tokens and the found texts give,"
        f" the {len(strongest)} strongest corpus examples, and {sample.n:,} corpus positions (thinned).",
        log=True,
    )


def _facts(story: _Story, sample: Sample) -> Facts:
    soft, reproduced, searched = story.soft, story.reproduced, story.searched
    if soft is None or reproduced is None:
        raise ValueError("the story is not finished")
    checks = {check.name: check for check in story.checks}
    places = strongest_examples(sample)
    token, share = commonest(sample, places)
    return Facts(
        unit=sample.unit.name,
        top_token=token,
        top_share=share,
        kinds=checks["one-feature"].answer,
        auc=checks["readability"].number("detection_auc").value,
        soft=soft.activation,
        soft_ratio=soft.ratio,
        peak=float(np.median([text.activation for text in story.texts if text.source == DECODED])),
        strong=float(np.median([sample.values[0][place] for place in places])),
        runs=soft.runs,
        verdict=reproduced.verdict,
        text=None if searched is None else searched.activation,
        text_ratio=None if searched is None else searched.ratio,
        resemblance=0.5 if searched is None else searched.resemblance,
    )
