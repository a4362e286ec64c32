"""What else a unit follows: its correlation with token length, frequency, position.

Plain: Pearson's r. Partial: the correlation of what is left of the unit and of the covariate after both are
regressed on the controls; it is 0 where the controls explain the correlation. The p-value is that of
``t = r sqrt(df / (1 - r^2))`` with ``df = samples - 2 - controls``, which equals the t-test of the
covariate's coefficient in the multiple regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import stdtr

from actmax.errors import ActmaxError
from actmax.stats.samples import PerUnit, Values, chunks

EXPLAINED = 1e-12
"""A unit of which less than this share (of the root mean square) is left has no correlation to speak of."""


@dataclass(frozen=True)
class Correlation:
    """The correlation of every unit with one covariate; NaN for a unit that is constant, or that the controls
    explain wholly."""

    r: PerUnit
    p: PerUnit
    """Two-sided."""
    df: int


def correlate(
    values: Values,
    covariate: Float[np.ndarray, " samples"],
    controls: Float[np.ndarray, "samples controls"] | None = None,
) -> Correlation:
    """Every unit against ``covariate``, holding ``controls`` (columns) constant where given.

    Raises :class:`ActmaxError` where there are too few samples, something is not finite, or the covariate is
    constant or a mixture of the controls.
    """
    samples, units = values.shape
    held = np.empty((samples, 0)) if controls is None else controls.astype(np.float64)
    df = samples - 2 - held.shape[1]
    _check(samples, covariate, held, df)
    # An orthonormal basis of the controls and the constant.
    centred = held - held.mean(axis=0)
    basis, strengths, _ = np.linalg.svd(centred, full_matrices=False)
    basis = basis[:, strengths > 1e-12 * max(strengths, default=0.0)]
    target, left = _residual(covariate.astype(np.float64)[:, None], basis)
    if not left[0]:
        raise ActmaxError(
            "the covariate is constant, or follows from the controls, so nothing can correlate with it; "
            "leave it out or drop a control"
        )
    r = np.empty(units)
    for where, chunk in chunks(values):
        unit, left = _residual(chunk, basis)
        r[where] = np.where(left, np.clip(target[:, 0] @ unit, -1.0, 1.0), np.nan)
    with np.errstate(divide="ignore"):
        t = r * np.sqrt(df / ((1 - r) * (1 + r)))
    return Correlation(r, 2 * stdtr(df, -np.abs(t)), df)


def _residual(
    columns: Float[np.ndarray, "samples some"], basis: Float[np.ndarray, "samples controls"]
) -> tuple[Float[np.ndarray, "samples some"], Bool[np.ndarray, " some"]]:
    """Each column without its mean and its part in ``basis``, at length 1, and whether anything was left."""
    flat = columns.min(axis=0) == columns.max(axis=0)
    columns = columns - columns.mean(axis=0)
    before = np.sqrt(np.einsum("su,su->u", columns, columns))
    columns -= basis @ (basis.T @ columns)
    after = np.sqrt(np.einsum("su,su->u", columns, columns))
    left = ~flat & (after > EXPLAINED * before)
    return columns / np.where(left, after, 1.0), left


def _check(
    samples: int,
    covariate: Float[np.ndarray, " samples"],
    held: Float[np.ndarray, "samples controls"],
    df: int,
) -> None:
    if covariate.shape != (samples,) or len(held) != samples:
        raise ActmaxError(
            f"there are {samples} samples, {len(covariate)} values of the covariate and {len(held)} rows of "
            "controls; give one for each sample"
        )
    if df < 1:
        raise ActmaxError(
            f"{samples} samples are too few to correlate with {held.shape[1]} controls; "
            f"give at least {held.shape[1] + 3}"
        )
    for name, array in (("covariate", covariate), ("controls", held)):
        if not np.isfinite(array).all():
            raise ActmaxError(
                f"the {name} hold a value that is not finite; leave out the samples that lack one"
            )
