"""The arrays that the statistics work on: their shapes, their checks, and the walk over units in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from actmax.errors import ActmaxError

Values: TypeAlias = Float[np.ndarray, "samples units"]
"""One activation per sample and unit, in any floating-point type."""

Labels: TypeAlias = Bool[np.ndarray, " samples"]
"""True for the samples of the first group, False for those of the second."""

Labellings: TypeAlias = Bool[np.ndarray, "labellings samples"]
"""Several ways to label the samples, one per row, all with groups of the same sizes."""

PerUnit: TypeAlias = Float[np.ndarray, " units"]
"""One number per unit."""

Flags: TypeAlias = Bool[np.ndarray, " units"]
"""One yes or no per unit."""

Order: TypeAlias = Int[np.ndarray, " samples"]
"""Every sample's index once, in some order."""

Chunk: TypeAlias = Float[np.ndarray, "samples chunk"]
"""The float64 activations of some neighbouring units."""

CHUNK_VALUES = 2**17
"""Activations in one chunk (1 MiB of float64): small enough for a cache, large enough to vectorise."""

LEAST_UNITS = 64
"""A chunk never has fewer units than this (except the last), however many samples there are."""


def group_sizes(values: Values, labels: Labels, least: int = 2) -> tuple[int, int]:
    """How many samples are labelled True and how many False.

    Raises :class:`ActmaxError` where the lengths differ or a group has fewer than ``least`` samples.
    """
    if values.ndim != 2 or labels.shape != (values.shape[0],):
        raise ActmaxError(
            f"the activations have shape {values.shape} and the labels {labels.shape}; "
            "give activations of shape [samples, units] and one label per sample"
        )
    first = int(np.count_nonzero(labels))
    second = len(labels) - first
    if len(labels) > 1 and 0 in (first, second):
        raise ActmaxError(f"all {len(labels)} labels are {bool(first)}; give samples of both groups")
    for name, size in (("True", first), ("False", second)):
        if size < least:
            plural = "" if size == 1 else "s"
            raise ActmaxError(
                f"the group labelled {name} has {size} sample{plural} and needs at least {least}; "
                "add samples to it"
            )
    return first, second


def chunk_units(samples: int, chunk_values: int = CHUNK_VALUES) -> int:
    """How many units go into a chunk of ``samples`` rows."""
    return max(LEAST_UNITS, chunk_values // max(samples, 1))


def first_group_first(labels: Labels) -> Order:
    """An order in which the two groups are two slices of the samples, which is cheaper than a mask."""
    return np.argsort(~labels, kind="stable")


def chunks(
    values: Values, order: Order | None = None, chunk_values: int = CHUNK_VALUES
) -> Iterator[tuple[slice, Chunk]]:
    """The units as float64 copies of a few hundred at a time, with the place of each chunk.

    ``order`` re-orders the samples of the copies. Raises :class:`ActmaxError` at the first activation that is
    NaN or infinite.
    """
    samples, units = values.shape
    step = chunk_units(samples, chunk_values)
    for start in range(0, units, step):
        where = slice(start, min(start + step, units))
        part = values[:, where] if order is None else values[:, where][order]
        chunk = part.astype(np.float64, order="C")
        # One sum is the cheap test: it is finite when all its terms are (and do not overflow).
        with np.errstate(invalid="ignore", over="ignore"):
            total = chunk.sum()
        if not np.isfinite(total) and not np.isfinite(chunk).all():
            row, unit = np.argwhere(~np.isfinite(chunk))[0]
            sample = row if order is None else order[row]
            raise ActmaxError(
                f"the activation of unit {start + unit} in sample {sample} is {chunk[row, unit]}; "
                "leave out the samples whose activations are not finite"
            )
        yield where, chunk
