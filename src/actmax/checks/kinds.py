"""How many kinds of contexts there are among some residual vectors.

1. Every dimension is taken around its mean over the corpus and divided by its standard deviation there, so
   that the few dimensions in which a residual stream is huge do not decide the matter.
2. Two contexts are *alike* where the cosine of their vectors is above 0.5.
3. Groups are joined, closest first, as long as the mean cosine between them is above 0.5 (scikit-learn's
   average linkage).
4. A *kind* is a group of at least a tenth of the vectors, and of three. What is in no kind is *scattered*.

So the number of kinds is read off and not chosen, it may be none, and vectors drawn at random can be treated
in the same way to see what chance gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

ALIKE, SHARE, FEWEST = 0.5, 0.1, 3
SCATTERED = -1


@dataclass(frozen=True)
class Standardization:
    """Mean and standard deviation of every dimension over the corpus."""

    mean: Float[np.ndarray, " d"]
    std: Float[np.ndarray, " d"]

    @classmethod
    def of(cls, vectors: Float[np.ndarray, "n d"]) -> Standardization:
        """The mean and standard deviation of these vectors."""
        mean = vectors.mean(axis=0, dtype=np.float64)
        return cls(mean, vectors.std(axis=0, dtype=np.float64))

    def directions(self, vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """The vectors on this scale, each of norm 1; dimensions that never change are left out."""
        moving = self.std > 1e-6 * max(float(self.std.max(initial=0.0)), 1e-30)
        scaled = np.where(moving, (vectors - self.mean) / np.where(moving, self.std, 1.0), 0.0)
        norm = np.linalg.norm(scaled, axis=1, keepdims=True)
        made: Float[np.ndarray, "n d"] = scaled / np.maximum(norm, 1e-30)
        return made


@dataclass(frozen=True)
class Kinds:
    """The division of some vectors into kinds."""

    labels: Int[np.ndarray, " n"]
    """From 0, the largest kind first; -1 where scattered."""
    alike: float
    """The share of pairs that are alike; NaN where there is no pair."""

    @property
    def n(self) -> int:
        """How many kinds there are."""
        return int(self.labels.max(initial=SCATTERED)) + 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many vectors are of each kind, from the largest."""
        return tuple(int((self.labels == kind).sum()) for kind in range(self.n))


def least(n: int) -> int:
    """How many of ``n`` vectors make a kind."""
    return max(FEWEST, math.ceil(SHARE * n))


def divide(directions: Float[np.ndarray, "n d"]) -> Kinds:
    """Divide vectors of norm 1 into kinds."""
    n = len(directions)
    if n < 2:
        return Kinds(np.full(n, SCATTERED, dtype=np.int64), float("nan"))
    cosine = directions @ directions.T
    alike = float((cosine[np.triu_indices(n, 1)] > ALIKE).mean())
    from sklearn.cluster import AgglomerativeClustering

    linked = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - ALIKE
    )
    groups = linked.fit((1 - cosine).clip(min=0)).labels_
    names, counts = np.unique(groups, return_counts=True)
    large = [int(names[k]) for k in np.argsort(-counts, kind="stable") if counts[k] >= least(n)]
    rank = {name: kind for kind, name in enumerate(large)}
    return Kinds(np.array([rank.get(int(name), SCATTERED) for name in groups], dtype=np.int64), alike)


def principal(vectors: Float[np.ndarray, "n d"], components: int) -> Float[np.ndarray, "n c"]:
    """The coordinates of the vectors on their first principal components."""
    centred = vectors - vectors.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    kept = s > 1e-6 * max(float(s.max(initial=0.0)), 1e-30)
    coordinates: Float[np.ndarray, "n c"] = (u * s)[:, kept][:, :components]
    return coordinates
