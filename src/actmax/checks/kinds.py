"""How many kinds of things there are among some vectors.

1. Project the vectors onto their first principal components (at most 10).
2. k-means for k = 2 … 6 (never more than there are distinct vectors); the *silhouette* of each.
3. The same for 19 sets drawn from one Gaussian with the vectors' mean and covariance: what one cloud without
   kinds gives.
4. If the best silhouette exceeds those of all 19 (chance at most 5 %), the number of kinds is the k that has
   it; otherwise it is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from actmax.stats.extras import need

MOST, COMPONENTS, DRAWS = 6, 10, 19


@dataclass(frozen=True)
class Kinds:
    """A division of some vectors."""

    labels: Int[np.ndarray, " n"]
    """From 0, the largest kind first."""
    silhouette: float
    """Of the division, or of the best one that was refused; NaN where there was none to try."""
    chance: float
    """The largest silhouette among the Gaussian draws."""

    @property
    def n(self) -> int:
        """How many kinds."""
        return int(self.labels.max()) + 1


def kinds(vectors: Float[np.ndarray, "n d"], rng: np.random.Generator) -> Kinds:
    """Divide vectors into as many kinds as the criterion of this module allows."""
    x = principal(vectors.astype(np.float64))
    best, labels = _best(x, rng)
    if labels is None:
        return Kinds(np.zeros(len(vectors), dtype=np.int64), float("nan"), float("nan"))
    centred = x - x.mean(axis=0)
    chance = 0.0
    for _ in range(DRAWS):
        drawn = rng.standard_normal((len(x), len(x))) @ centred / np.sqrt(len(x) - 1)
        chance = max(chance, _best(drawn, rng)[0])
    if best <= chance:
        labels = np.zeros(len(vectors), dtype=np.int64)
    return Kinds(_by_size(labels), best, chance)


def principal(vectors: Float[np.ndarray, "n d"], components: int = COMPONENTS) -> Float[np.ndarray, "n c"]:
    """Coordinates along the first principal components."""
    centred = vectors - vectors.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    kept = s > 1e-6 * max(float(s.max(initial=0.0)), 1e-30)
    coordinates: Float[np.ndarray, "n c"] = (u * s)[:, kept][:, :components]
    return coordinates


def _best(x: Float[np.ndarray, "n c"], rng: np.random.Generator) -> tuple[float, np.ndarray | None]:
    """The division with the largest silhouette, and its labels; none where there is nothing to divide."""
    cluster, metrics = need("sklearn.cluster"), need("sklearn.metrics")
    if x.shape[1] == 0:
        return float("nan"), None
    distinct = len(np.unique(x.round(6), axis=0))
    best, labels = -np.inf, None
    for k in range(2, min(MOST, distinct, len(x) - 1) + 1):
        made = cluster.KMeans(k, n_init=2, random_state=int(rng.integers(2**31))).fit(x).labels_
        if len(np.unique(made)) < 2:
            continue
        score = float(metrics.silhouette_score(x, made))
        if score > best + 1e-9:
            best, labels = score, made
    return best, labels


def _by_size(labels: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The same division, numbered from the largest kind."""
    names, counts = np.unique(labels, return_counts=True)
    order = names[np.argsort(-counts, kind="stable")]
    rank = {int(name): k for k, name in enumerate(order)}
    return np.array([rank[int(label)] for label in labels], dtype=np.int64)
