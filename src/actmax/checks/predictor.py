"""A simple predictor of a unit: what its token, the token before and the words around say on average.

Additive and fitted step by step, each effect a shrunken mean of what the effects before it leave over:

1. *Token*: ``Σ residual / (count + 2)`` for each token.
2. *Token before*: the same for the token at the position before.
3. *Context words*: for each token, the shrunken mean (``count + 20``) of the residual where it is among the
   eight positions before; a position's effect is the mean over its context.

Fitted on half of the documents, judged on the other half by the area under the ROC curve (AUC) for telling
the 5 % strongest positions from the rest: 0.5 is chance, 1 is certain. Many units are fitted at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from actmax.checks.sample import Sample
from actmax.stats.ranks import midranks

CONTEXT, RARE, COMMON, TOP = 8, 2.0, 20.0, 0.05


@dataclass(frozen=True)
class Detection:
    """One row a unit."""

    token: Float[np.ndarray, " unit"]
    """AUC from the token alone."""
    full: Float[np.ndarray, " unit"]
    """AUC from token, token before and context words."""
    fitted: int
    """Positions of the half that was fitted."""
    held_out: int
    positives: int
    """Held-out positions of the first unit that are to be detected."""
    scores: Float[np.ndarray, " held_out"]
    """The full predictor's scores of the first unit."""
    actual: Float[np.ndarray, " held_out"]


def detect(sample: Sample, seed: int) -> Detection:
    """Fit on half of the documents and judge on the others."""
    rows, columns = np.nonzero(sample.kept)
    fit = _half(sample, seed)[rows]
    tokens = sample.ids[rows, columns]
    before = sample.ids[rows, columns - 1]
    context = np.stack([_at(sample, rows, columns - k) for k in range(2, CONTEXT + 2)], axis=1)
    values = sample.values[:, rows, columns].astype(np.float64).T
    center = values[fit].mean(axis=0)
    vocab = int(sample.ids.max()) + 1
    residual = values - center
    by_token = _effect(tokens[fit], residual[fit], vocab, RARE)[tokens]
    by_before = _effect(before[fit], (residual - by_token)[fit], vocab, RARE)[before]
    left = residual - by_token - by_before
    words = _context_effect(context, left, fit, vocab)
    token_auc, full_auc, positives = [], [], 0
    for k in range(values.shape[1]):
        limit = np.quantile(values[fit, k], 1 - TOP)
        target = values[~fit, k] > limit
        positives = positives if k else int(target.sum())
        token_auc.append(auc(by_token[~fit, k], target))
        full_auc.append(auc((by_token + by_before + words)[~fit, k], target))
    scores = (by_token + by_before + words)[~fit, 0] + center[0]
    return Detection(
        np.array(token_auc),
        np.array(full_auc),
        int(fit.sum()),
        int((~fit).sum()),
        positives,
        scores,
        values[~fit, 0],
    )


def auc(scores: Float[np.ndarray, " n"], target: Bool[np.ndarray, " n"]) -> float:
    """The chance that a position to be detected scores higher than another; 0.5 where there is no pair."""
    positive, negative = int(target.sum()), int((~target).sum())
    if not positive or not negative:
        return 0.5
    ranks = midranks(scores[None].astype(np.float64))[0]
    return float((ranks[target].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _half(sample: Sample, seed: int) -> Bool[np.ndarray, " window"]:
    """Which windows are fitted: half of the documents, or of the windows where there is one document."""
    groups = sample.document if len(np.unique(sample.document)) > 1 else np.arange(len(sample.document))
    names = np.unique(groups)
    mixed = np.random.default_rng([seed, 23]).permutation(names)
    chosen = set(mixed[: max(1, len(names) // 2)].tolist())
    return np.array([group in chosen for group in groups])


def _at(sample: Sample, rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
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
