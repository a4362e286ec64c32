"""Activations like those of real units: normal, skewed, mostly zero, rounded, far from zero."""

from __future__ import annotations

import numpy as np


def activations(rng: np.random.Generator, samples: int, each: int = 6, dtype: str = "float32") -> np.ndarray:
    """``[samples, 5 * each]``: five kinds of unit, none constant."""
    normal = rng.standard_normal((samples, each))
    kinds = [
        normal,
        np.exp(1.5 * rng.standard_normal((samples, each))),
        np.maximum(rng.standard_normal((samples, each)), 0.0),
        np.round(2 * rng.standard_normal((samples, each))),
        20_000 + rng.standard_normal((samples, each)),
    ]
    values = np.concatenate(kinds, axis=1).astype(dtype)
    values[0] += 1  # no column is constant, whatever was drawn
    return values


def groups(rng: np.random.Generator, n1: int, n2: int) -> np.ndarray:
    """Labels in random order."""
    return rng.permutation(np.arange(n1 + n2) < n1)
