"""The table of all units: every statistic as one column, ``[n_units]``.

It is what ``statistics.safetensors`` holds, and its rows are the units of ``result.json``; the meaning of a
column stands at the field of :class:`~actmax.results.select_parts.UnitSelectivity` that has its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeAlias

import numpy as np
from jaxtyping import Shaped

from actmax.results.select_parts import UnitSelectivity
from actmax.selectivity.confounds import Confounds
from actmax.selectivity.run import Selection
from actmax.stats.correlates import Correlation
from actmax.stats.logistic import Status

Table: TypeAlias = Mapping[str, Shaped[np.ndarray, " units"]]
"""Column name to one number, or yes or no, per unit."""


def statistics_table(out: Selection) -> Table:
    """Every statistic that was computed; what was skipped has no column."""
    c, held = out.comparison, out.held_out
    columns = {
        "mean_a": c.mean_a,
        "mean_b": c.mean_b,
        "t": c.ttest.t,
        "df": c.ttest.df,
        "p": c.adjusted.p,
        "p_corrected": c.corrected,
        "p_bh_site": c.adjusted.bh_site,
        "p_bh_model": c.adjusted.bh_model,
        "p_bonferroni_site": c.adjusted.bonferroni_site,
        "p_bonferroni_model": c.adjusted.bonferroni_model,
        "significant": c.significant,
        "d": c.effect.d,
        "d_low": c.effect.low,
        "d_high": c.effect.high,
        "auc": c.ranks.auc,
        "p_t": c.ttest.p,
        "p_mann_whitney": c.ranks.p,
        "slope": c.logistic.slope,
        "p_slope": c.logistic.p,
        "p_logistic": c.logistic.p_ratio,
        "status": c.logistic.status,
        "accuracy": c.logistic.accuracy,
        **_correlations(out.confounds),
    }
    if held is not None:
        columns |= {
            "statistic_found": held.concordance.effect_fit,
            "statistic_held": held.concordance.effect_hold,
            "held": held.concordance.held,
            "accuracy_held": held.accuracy,
        }
    if out.chance is not None and out.chance.null is not None:
        columns["p_permutation"] = out.chance.null.p_family
    return columns


def unit_row(table: Table, unit: int, out: Selection, rank: int) -> UnitSelectivity:
    """One unit of the table; a number without column is NaN."""
    acts = out.read.acts
    number = int(acts.site_of[unit])
    site = acts.sites[number]
    named = {
        "rank": rank,
        "unit": acts.name(unit),
        "site": site.name,
        "index": unit - acts.bounds(number).start,
        "layer": site.layer,
        "fit": Status(int(table["status"][unit])).name.lower().replace("_", "-"),
        "held": False,
    }
    numbers = {
        one.name: table[one.name][unit].item() if one.name in table else float("nan")
        for one in fields(UnitSelectivity)
        if one.name in table or one.name not in named
    }
    return UnitSelectivity(**named | numbers)


def _correlations(confounds: Confounds) -> dict[str, np.ndarray]:
    pairs: dict[str, Correlation | None] = {"r": confounds.group, "r_partial": confounds.group_partial}
    for name, one in confounds.covariates.items():
        pairs |= {f"r_{name}": one.plain, f"r_{name}_partial": one.partial}
    return {name: one.r for name, one in pairs.items() if one is not None}
