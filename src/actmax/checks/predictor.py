"""A simple predictor of a unit: what its token, the token before and the words around say on average.

Three effects, fitted one after another, each a shrunken mean of what the effects before it leave over:

1. *Token*: ``Σ residual / (count + 2)`` for each token.
2. *Token before*: the same for the token at the position before.
3. *Context words*: for each token, the shrunken mean (``count + 20``) of the residual where it is among the
   eight positions before; a position's effect is the mean over its context.

How much each effect counts is found inside the half that is fitted: the effects fitted on one half of its
documents predict the other half and the other way round, and the weights of the three (none below zero) are
those of least squares there. So an effect that does not hold on unseen text is left out and does no harm.

Fitted on half of the documents, judged on the other half by the area under the ROC curve (AUC) for telling
the 5 % strongest positions from the rest: 0.5 is chance, 1 is certain. Many units are fitted at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from actmax.checks.sample import UnitSample

CONTEXT, RARE, COMMON, TOP = 8, 2.0, 20.0, 0.05
ORDER = ("token", "token before", "context words")
"""The effects."""


@dataclass(frozen=True)
class Detection:
    """One row a unit."""

    token: Float[np.ndarray, " unit"]
    """AUC from the token only."""
    full: Float[np.ndarray, " unit"]
    """AUC from token, token before and context words."""
    weights: Float[np.ndarray, " effect"]
    """How much the first unit's effects count, in the order of :data:`ORDER`."""
    fitted: int
    """Positions of the half that was fitted."""
    held_out: int
    positives: int
    """Held-out positions of the first unit that are to be detected."""
    scores: Float[np.ndarray, " held_out"]
    """The full predictor's scores of the first unit."""
    actual: Float[np.ndarray, " held_out"]


@dataclass(frozen=True)
class _Words:
    """The tokens at and around each position that is read."""

    token: Int[np.ndarray, " n"]
    before: Int[np.ndarray, " n"]
    context: Int[np.ndarray, "n words"]
    vocab: int


def detect(sample: UnitSample, seed: int) -> Detection:
    """Fit on half of the documents and judge on the other half."""
    rows, columns = np.nonzero(sample.kept)
    rng = np.random.default_rng([seed, 23])
    everywhere = np.ones(len(sample.document), dtype=bool)
    half = _half(sample, everywhere, rng)
    quarter = _half(sample, half, rng)
    fit, one, other = half[rows], quarter[rows], (half & ~quarter)[rows]
    words = _Words(
        sample.ids[rows, columns],
        sample.ids[rows, columns - 1],
        np.stack([_at(sample, rows, columns - k) for k in range(2, CONTEXT + 2)], axis=1),
        int(sample.ids.max()) + 1,
    )
    values = sample.values[:, rows, columns].astype(np.float64).T
    center = values[fit].mean(axis=0)
    unseen = np.zeros((len(ORDER), *values.shape))
    for seen, new in ((one, other), (other, one)):
        if seen.any() and new.any():
            unseen[:, new] = _effects(words, values - center, seen)[:, new]
    weights = _weights(unseen[:, fit], (values - center)[fit])
    effects = _effects(words, values - center, fit)
    whole = (weights[:, None] * effects).sum(axis=0)
    token_auc, full_auc, positives = [], [], 0
    for k in range(values.shape[1]):
        limit = np.quantile(values[fit, k], 1 - TOP)
        target = values[~fit, k] > limit
        positives = positives if k else int(target.sum())
        token_auc.append(auc(effects[0, ~fit, k], target))
        full_auc.append(auc(whole[~fit, k], target))
    return Detection(
        np.array(token_auc),
        np.array(full_auc),
        weights[:, 0],
        int(fit.sum()),
        int((~fit).sum()),
        positives,
        whole[~fit, 0] + center[0],
        values[~fit, 0],
    )


def auc(scores: Float[np.ndarray, " n"], target: Bool[np.ndarray, " n"]) -> float:
    """The chance that a position to be detected scores higher than another; 0.5 where there is no pair."""
    positive, negative = int(target.sum()), int((~target).sum())
    if not positive or not negative:
        return 0.5
    ranks = rankdata(scores.astype(np.float64))
    return float((ranks[target].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _half(
    sample: UnitSample, among: Bool[np.ndarray, " window"], rng: np.random.Generator
) -> Bool[np.ndarray, " window"]:
    """Half of the documents of some windows, or half of the windows where they are of one document."""
    several = len(np.unique(sample.document[among])) > 1
    groups = sample.document if several else np.arange(len(sample.document))
    mixed = rng.permutation(np.unique(groups[among]))
    chosen: Bool[np.ndarray, " window"] = among & np.isin(groups, mixed[: max(1, len(mixed) // 2)])
    return chosen


def _effects(
    words: _Words, values: Float[np.ndarray, "n unit"], seen: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, "effect n unit"]:
    """What the three effects, fitted where ``seen``, say everywhere."""
    by_token = _effect(words.token[seen], values[seen], words.vocab, RARE)[words.token]
    left = values - by_token
    by_before = _effect(words.before[seen], left[seen], words.vocab, RARE)[words.before]
    by_words = _context_effect(words.context, left - by_before, seen, words.vocab)
    return np.stack([by_token, by_before, by_words])


def _weights(
    effects: Float[np.ndarray, "effect n unit"], values: Float[np.ndarray, "n unit"]
) -> Float[np.ndarray, "effect unit"]:
    """Least squares with no weight below zero; where nothing is left, the token counts fully."""
    weights = np.zeros((len(effects), values.shape[1]))
    for k in range(values.shape[1]):
        x, used = effects[:, :, k].T, list(range(len(effects)))
        while used:
            found = np.linalg.lstsq(x[:, used], values[:, k], rcond=None)[0]
            if (found >= 0).all():
                weights[used, k] = found
                break
            del used[int(found.argmin())]
        if not weights[:, k].any():
            weights[0, k] = 1.0
    return weights


def _at(
    sample: UnitSample, rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """Tokens at some positions; -1 before the beginning."""
    return np.where(columns >= 0, sample.ids[rows, np.maximum(columns, 0)], -1)


def _effect(
    names: Int[np.ndarray, " n"], values: Float[np.ndarray, "n unit"], vocab: int, shrink: float
) -> Float[np.ndarray, "vocab unit"]:
    sums = np.zeros((vocab, values.shape[1]))
    np.add.at(sums, names, values)
    counts = np.bincount(names, minlength=vocab)
    effect: Float[np.ndarray, "vocab unit"] = sums / (counts + shrink)[:, None]
    return effect


def _context_effect(
    context: Int[np.ndarray, "n words"],
    left: Float[np.ndarray, "n unit"],
    fit: Bool[np.ndarray, " n"],
    vocab: int,
) -> Float[np.ndarray, "n unit"]:
    there = context >= 0
    names = context[fit][there[fit]]
    repeated = np.repeat(left[fit], there[fit].sum(axis=1), axis=0)
    table = _effect(names, repeated, vocab, COMMON)
    total = np.zeros_like(left)
    for k in range(context.shape[1]):
        total += np.where(there[:, k, None], table[np.maximum(context[:, k], 0)], 0.0)
    effect: Float[np.ndarray, "n unit"] = total / np.maximum(there.sum(axis=1), 1)[:, None]
    return effect
