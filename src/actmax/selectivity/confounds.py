"""What else a unit may follow: how long a token is, how frequent, and where it stands.

Two groups of words differ in more than what they were chosen for. Every unit is correlated with the target's
length (characters), its frequency (log10 of one more than the count of its last token in the corpus) and its
position (tokens in front of it); with each also while the others are held constant; and with the group while
all of them are. A unit that tells the groups apart only because one has longer words keeps nothing of its
correlation with the group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from actmax.corpus.tokens import Tokens
from actmax.errors import ActmaxError
from actmax.selectivity.sample import Sample
from actmax.stats.correlates import Correlation, correlate
from actmax.stats.samples import Labels, Values

Covariates = Mapping[str, Float[np.ndarray, " samples"]]
"""``length``, ``frequency``, ``position``: one number a sample."""


@dataclass(frozen=True)
class Confound:
    """One covariate against every unit."""

    plain: Correlation
    partial: Correlation | None
    """With the other covariates held constant; None where they determine it, or there are none."""


@dataclass(frozen=True)
class Confounds:
    """All covariates against every unit, and the group against every unit."""

    covariates: Mapping[str, Confound]
    group: Correlation
    group_partial: Correlation | None
    """With all covariates held constant; None where they determine the group, or there are none."""


def covariates_of(samples: Sequence[Sample], corpus: Tokens | None) -> Covariates:
    """Those of the covariates that vary; ``frequency`` needs a corpus."""
    found = {
        "length": np.array([len(sample.text) for sample in samples], dtype=np.float64),
        "position": np.array([sample.start for sample in samples], dtype=np.float64),
    }
    if corpus is not None:
        counts = np.bincount(np.asarray(corpus.ids), minlength=max(max(s.ids) for s in samples) + 1)
        last = np.array([sample.ids[sample.stop - 1] for sample in samples])
        found["frequency"] = np.log10(1 + counts[last])
    return {name: found[name] for name in sorted(found) if np.ptp(found[name]) > 0}


def confounds(values: Values, labels: Labels, covariates: Covariates) -> Confounds:
    """Every correlation of every unit."""
    each = {}
    for name, covariate in covariates.items():
        others = [value for other, value in covariates.items() if other != name]
        each[name] = Confound(correlate(values, covariate), _partial(values, covariate, others))
    group = labels.astype(np.float64)
    return Confounds(each, correlate(values, group), _partial(values, group, list(covariates.values())))


def _partial(
    values: Values, of: Float[np.ndarray, " samples"], held: list[Float[np.ndarray, " samples"]]
) -> Correlation | None:
    if not held:
        return None
    try:
        return correlate(values, of, np.stack(held, axis=1))
    except ActmaxError:  # it follows from what is held constant, or the samples are too few
        return None
