"""From the arrays of a selection to its result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from actmax.corpus.tokens import Tokens
from actmax.results.manifest import Manifest
from actmax.results.select import SelectResult
from actmax.results.select_parts import (
    Chance,
    Context,
    GroupRead,
    HeldOut,
    Layer,
    PassageRead,
    Point,
    Probed,
    ProbeWeight,
    Quote,
    SelectCorpus,
    SelectCost,
    UnitRow,
)
from actmax.selectivity.groups import FoundSamples, Group
from actmax.selectivity.run import Question, Selection
from actmax.selectivity.settings import SelectSettings
from actmax.selectivity.table import statistics_table, unit_row
from actmax.settings import provenance
from actmax.stats.correlates import Correlation
from actmax.stats.samples import PerUnit

QUOTES = 4
POINTS = 400
WEIGHTS = 20
_BEFORE, _AFTER = 80, 50
"""Characters of a quotation on either side."""


def select_result(
    out: Selection, question: Question, found: Sequence[FoundSamples], manifest: Manifest
) -> SelectResult:
    """The whole result of a selection."""
    read, comparison, table = out.read, out.comparison, statistics_table(out)
    settings, corpus = question.settings, question.source.corpus
    ranked = enumerate(comparison.order[: settings.top], start=1)
    second = [group.name for group in question.second]
    return SelectResult(
        model=manifest.model,
        a=_group(out, 0, question.groups[0], found[0]),
        b=_group(out, 1, question.groups[1], found[1]),
        sites=tuple(site.name for site in read.acts.sites),
        n_units=len(comparison.corrected),
        significant=int(comparison.significant.sum()),
        units=tuple(unit_row(table, int(u), out, rank) for rank, u in ranked),
        layers=tuple(_layer(out, k, settings.alpha) for k in range(len(read.acts.sites))),
        held_out=_held(out),
        chance=_chance(out, settings),
        probe=_probe(out),
        context=tuple(
            Context(name, n, **{key: _median(value) for key, value in vars(effect).items()})
            for name, n, effect in out.context
        ),
        passages=_passages(out),
        covariates=tuple(out.covariates),
        settings=provenance(settings) | {"second": second},
        corpus=_corpus(corpus),
        cost=SelectCost(_tokens(out, question), out.read_seconds, out.statistics_seconds),
        manifest=manifest,
        notes=tuple(out.notes),
        complete=out.complete,
        tensors={name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in table.items()},
    )


def _passages(out: Selection) -> tuple[PassageRead, ...]:
    return tuple(
        PassageRead(
            passage.group,
            passage.document,
            passage.tokens,
            passage.target if passage.group else (),
            tuple(
                UnitRow(unit, tuple(row.tolist()))
                for unit, row in zip(out.heat_units, passage.values, strict=True)
            ),
        )
        for passage in out.passages
    )


def _corpus(tokens: Tokens | None) -> SelectCorpus | None:
    if tokens is None:
        return None
    return SelectCorpus(
        tokens.name, tokens.text_sha256, tokens.n_tokens, tokens.n_documents, tokens.attribution
    )


def _tokens(out: Selection, question: Question) -> int:
    """How many tokens the model read, BOS with them."""
    done = zip(out.read.samples, out.read.acts.done, strict=True)
    return sum(len(sample.ids) + (question.bos is not None) for sample, read in done if read)


def _group(out: Selection, number: int, group: Group, found: FoundSamples) -> GroupRead:
    read = out.read
    mine = (read.labels == (number == 0)) & ~read.second
    kept = [read.samples[k] for k in np.flatnonzero(mine & read.keep)]
    step = max(1, len(kept) // QUOTES)
    return GroupRead(
        name=group.name,
        meaning=group.meaning,
        samples=len(kept),
        total=found.total,
        documents=len({sample.document for sample in kept}),
        sinks=int((mine & read.acts.sinks).sum()),
        missing=found.missing,
        quotes=tuple(
            Quote(_end(s.before), s.text, _beginning(s.after), s.document) for s in kept[::step][:QUOTES]
        ),
    )


def _end(text: str) -> str:
    """The last whole words of what stands before a target."""
    if len(text) <= _BEFORE:
        return text
    cut = text[-_BEFORE:]
    return "… " + (cut.partition(" ")[2] or cut)


def _beginning(text: str) -> str:
    """The first whole words of what follows it."""
    if len(text) <= _AFTER:
        return text
    cut = text[:_AFTER]
    return (cut.rpartition(" ")[0] or cut) + " …"


def _layer(out: Selection, k: int, alpha: float) -> Layer:
    c, acts, held = out.comparison, out.read.acts, out.held_out
    where = acts.bounds(k)
    significant = c.significant[where]
    partial = out.confounds.group_partial
    survive = float("nan")
    if partial is not None and significant.any():
        survive = float((partial.p[where][significant] <= alpha).mean())
    inside = (c.order >= where.start) & (c.order < where.stop)
    best, accuracy, mean_accuracy, holds = int(c.order[np.argmax(inside)]), np.nan, np.nan, 0
    if held is not None:
        best = where.start + int(np.argmax(np.nan_to_num(held.likelihood[where], nan=-np.inf)))
        accuracy = held.accuracy[best]
        found = held.concordance.found[where]
        mean_accuracy = held.accuracy[where][found].mean() if found.any() else np.nan
        holds = int(held.concordance.held[where].sum())
    size = np.abs(c.effect.d[where])
    return Layer(
        site=acts.sites[k].name,
        layer=acts.sites[k].layer,
        units=acts.widths[k],
        significant=int(significant.sum()),
        share=float(significant.mean()),
        chance_share=float("nan") if out.chance is None else float(out.chance.uncorrected[where].mean()),
        held=holds,
        median_d=float(np.median(size[np.isfinite(size)])) if np.isfinite(size).any() else float("nan"),
        best=acts.name(best),
        accuracy=float(accuracy),
        mean_accuracy=float(mean_accuracy),
        survive=survive,
        correlates={name: _size(one.plain, where) for name, one in out.confounds.covariates.items()},
        correlates_partial={
            name: _size(one.partial, where) for name, one in out.confounds.covariates.items()
        },
    )


def _held(out: Selection) -> HeldOut | None:
    if out.held_out is None:
        return None
    two, acts = out.held_out.concordance, out.read.acts
    found = np.flatnonzero(two.found)
    rest = np.flatnonzero(~two.found & np.isfinite(two.effect_fit) & np.isfinite(two.effect_hold))
    shown = [*_even(found, two.effect_fit, POINTS), *_even(rest, two.effect_fit, POINTS)]
    same = np.sign(two.effect_fit[found]) == np.sign(two.effect_hold[found])
    return HeldOut(
        kind=out.held_kind,
        samples_found=out.held_sizes[0],
        samples_held=out.held_sizes[1],
        found=len(found),
        held=int(two.held.sum()),
        concordance=two.concordance,
        same_sign=float(same.mean()) if len(found) else float("nan"),
        points=tuple(
            Point(
                acts.name(int(u)),
                float(two.effect_fit[u]),
                float(two.effect_hold[u]),
                bool(two.held[u]) if two.found[u] else None,
            )
            for u in shown
        ),
    )


def _even(places: np.ndarray, statistic: PerUnit, most: int) -> np.ndarray:
    """At most ``most`` of the units, evenly by rank, so that the extremes and the shape are kept."""
    ranked = places[np.argsort(statistic[places], kind="stable")]
    at = np.unique(np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round().astype(int))
    return np.asarray(ranked[at])


def _chance(out: Selection, settings: SelectSettings) -> Chance | None:
    if out.chance is None:
        return None
    null = out.chance.null
    return Chance(
        permutations=0 if null is None else len(null.null_max),
        threshold=float("nan") if null is None else null.threshold(settings.alpha),
        beyond=0 if null is None else int((null.p_family <= settings.alpha).sum()),
        uncorrected=float(out.chance.uncorrected.mean()),
        significant=out.chance.significant,
    )


def _probe(out: Selection) -> Probed | None:
    if out.probe is None:
        return None
    fitted = out.probe
    pairs = list(zip(fitted.units.tolist(), fitted.weights.tolist(), strict=True))[:WEIGHTS]
    return Probed(
        accuracy=fitted.accuracy,
        single_accuracy=fitted.single_accuracy,
        majority=fitted.majority,
        folds=len(fitted.fold_sizes),
        used=float(fitted.fold_used.mean()),
        weights=tuple(ProbeWeight(out.read.acts.name(int(u)), float(w)) for u, w in pairs),
    )


def _median(value: np.ndarray) -> tuple[float, ...]:
    """Over samples, those left out that are not finite.

    No mean: some words are half a sink when they stand alone after BOS, several times as long as the others.
    """
    kept = [row[np.isfinite(row)] for row in value]
    return tuple(float(np.median(row)) if len(row) else float("nan") for row in kept)


def _size(correlation: Correlation | None, where: slice) -> float:
    if correlation is None:
        return float("nan")
    r = correlation.r[where]
    r = r[np.isfinite(r)]
    return float(np.sqrt((r**2).mean())) if len(r) else float("nan")
