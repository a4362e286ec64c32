"""Do several units together tell the groups apart better than the best one?

A logistic regression with an L1 penalty over many units, scored on documents it never saw, against the best
single unit, also scored there. Everything is chosen inside the training part of each fold: which units the
probe may use (the ones with the largest ``|t|``), its penalty, and which single unit is the best. Choosing
on all samples and scoring on the same ones would favour whichever had more to choose from.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from actmax.errors import ActmaxError
from actmax.stats.logistic import logistic, predict
from actmax.stats.samples import Labels, Values, group_sizes
from actmax.stats.ttest import welch

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse penalties C that the inner cross-validation chooses from; smaller is sparser."""


@dataclass(frozen=True)
class Probe:
    """Cross-validated accuracy of the probe and of the best single unit, on the same folds."""

    accuracy: float
    """Share of held-out samples that the probe labels rightly."""
    single_accuracy: float
    """The same for the single unit chosen in training."""
    majority: float
    """The accuracy of always giving the larger group's label."""
    fold_accuracy: Float[np.ndarray, " folds"]
    fold_single_accuracy: Float[np.ndarray, " folds"]
    fold_sizes: Int[np.ndarray, " folds"]
    """Held-out samples of each fold."""
    fold_used: Int[np.ndarray, " folds"]
    """Units with a weight other than 0."""
    fold_single: Int[np.ndarray, " folds"]
    """The best single unit of each fold's training part."""
    units: Int[np.ndarray, " used"]
    """The units that a probe fitted to all samples uses, strongest first."""
    weights: Float[np.ndarray, " used"]
    """Their weights, per standard deviation of the unit: positive where more means True."""
    converged: bool
    """Whether every fit reached its optimum."""


def probe(
    values: Values,
    labels: Labels,
    rng: np.random.Generator,
    documents: Int[np.ndarray, " samples"] | None = None,
    folds: int = 5,
    candidates: int = 512,
) -> Probe:
    """Trains and scores both; samples of one document (default: each its own) stay in one fold.

    ``candidates`` bounds how many units the penalised fit sees. Raises :class:`ActmaxError` where a group has
    too few samples or documents for the folds, or an activation is not finite.
    """
    smaller = min(group_sizes(values, labels))
    split = _splitter(labels, documents, folds, rng)
    if split is None:
        raise ActmaxError(
            f"the smaller group has {smaller} samples, which leaves one of {folds} folds with too few "
            "of a label or document; add samples or ask for fewer folds"
        )
    fold_rows = []
    converged = True
    for train, test in split:
        fitted = _fit(values[train], labels[train], candidates, rng)
        converged &= fitted.converged
        right = fitted.predict(values[test]) == labels[test]
        single = _best_unit(values[train], labels[train])
        model = logistic(values[train][:, [single]], labels[train])
        single_right = predict(values[test][:, [single]], model)[:, 0] == labels[test]
        fold_rows.append(
            (right.mean(), single_right.mean(), len(test), np.count_nonzero(fitted.weights), single)
        )
    accuracy, single_accuracy, sizes, used, best = (
        np.array(column) for column in zip(*fold_rows, strict=True)
    )
    final = _fit(values, labels, candidates, rng)
    order = np.argsort(-np.abs(final.weights), kind="stable")[: np.count_nonzero(final.weights)]
    return Probe(
        accuracy=float(np.average(accuracy, weights=sizes)),
        single_accuracy=float(np.average(single_accuracy, weights=sizes)),
        majority=1 - smaller / len(labels),
        fold_accuracy=accuracy,
        fold_single_accuracy=single_accuracy,
        fold_sizes=sizes,
        fold_used=used,
        fold_single=best,
        units=final.units[order],
        weights=final.weights[order],
        converged=converged and final.converged,
    )


@dataclass(frozen=True)
class _Fitted:
    units: Int[np.ndarray, " candidates"]
    mean: Float[np.ndarray, " candidates"]
    deviation: Float[np.ndarray, " candidates"]
    weights: Float[np.ndarray, " candidates"]
    intercept: float
    converged: bool

    def predict(self, values: Values) -> Bool[np.ndarray, " samples"]:
        x = (values[:, self.units].astype(np.float64) - self.mean) / self.deviation
        return np.asarray(x @ self.weights + self.intercept > 0)


def _fit(values: Values, labels: Labels, candidates: int, rng: np.random.Generator) -> _Fitted:
    """The penalised fit on the units with the largest ``|t|``, its penalty chosen by cross-validation."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    t = np.nan_to_num(np.abs(welch(values, labels).t), nan=-1.0, posinf=np.inf)
    units = np.sort(np.argsort(-t, kind="stable")[:candidates])
    x = values[:, units].astype(np.float64)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(x.min(axis=0) == x.max(axis=0), 1.0, deviation)
    x = (x - mean) / deviation
    inner = max(2, min(3, min(np.count_nonzero(labels), np.count_nonzero(~labels))))
    seed = int(rng.integers(2**31))
    estimator = LogisticRegression(l1_ratio=1.0, solver="liblinear", max_iter=1000, random_state=seed)
    splits = StratifiedKFold(inner, shuffle=True, random_state=seed)
    search = GridSearchCV(estimator, {"C": PENALTIES}, cv=splits, scoring="neg_log_loss")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(x, labels)
    late = any("converge" in str(warning.message) for warning in caught)
    best = search.best_estimator_
    return _Fitted(units, mean, deviation, best.coef_[0], float(best.intercept_[0]), not late)


def _best_unit(values: Values, labels: Labels) -> int:
    """The unit with the highest likelihood; among units that separate wholly, the one with the widest gap."""
    likelihood = logistic(values, labels).log_likelihood
    ties = np.flatnonzero(likelihood >= likelihood.max() - 1e-9)
    t = np.nan_to_num(np.abs(welch(values[:, ties], labels).t), nan=-1.0, posinf=np.inf)
    return int(ties[np.argmax(t)])


def _splitter(
    labels: Labels, documents: Int[np.ndarray, " samples"] | None, folds: int, rng: np.random.Generator
) -> list[tuple[Any, Any]] | None:
    """Training and test samples of each fold; None where a training part would lack a label."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    groups = np.arange(len(labels)) if documents is None else documents
    holding = min(len(np.unique(groups[labels])), len(np.unique(groups[~labels])))
    if folds < 2 or holding < folds:
        return None
    seed = int(rng.integers(2**31))
    kind = StratifiedKFold if documents is None else StratifiedGroupKFold
    splits = kind(folds, shuffle=True, random_state=seed)
    pairs = list(splits.split(labels[:, None], labels, documents))
    enough = all(min(np.bincount(labels[train], minlength=2)) >= 2 and len(test) for train, test in pairs)
    return pairs if enough else None
