"""How a check is judged.

One number of each check, its statistic, is judged by its rank. p is one plus the number of random units that
reach the unit's number, over one plus how many random units there are. A unit drawn at random from its site
has p of at most 0.05 in at most 5 % of cases, whatever the model is, because its rank among other random
units is uniform.

- *no better than shuffled weights*: p among units of the copy with shuffled weights is above 0.05. The number
  says nothing about what the model learned.
- *stands out*: p is at most 0.05 among random units of the site, and among units of the shuffled copy where
  one was checked. Only this is called meaningful; asking for both can only lower the 5 %.
- *differs from shuffled weights*: p is at most 0.05 among units of the shuffled copy and above 0.05 among
  random units of the site. The model learned it, and other units of the site are like this one.
- *like other units*: p is above 0.05 among random units of the site, and no shuffled copy was checked.
- *not compared*: the number does not exist for this unit, for example because the unit never changes.

The rule for the answer to an assumption stands in its description.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from actmax.checks.assumption import Assumption, Measure
from actmax.checks.ranks import middle, rank_p
from actmax.checks.sample import UnitSample
from actmax.results.finding import Check, Control, Number, Picture, Series

Standing: TypeAlias = Literal[
    "stands out",
    "differs from shuffled weights",
    "like other units",
    "no better than shuffled weights",
    "not compared",
]

LEVEL = 0.05
NOT_MEASURED = "not measured"
_NAN = float("nan")


def judge(check: Assumption, measure: Measure, shuffled: Measure | None = None) -> Check:
    """What a measurement says, beside the same on a copy with shuffled weights where that was made."""
    p = rank_p(measure.statistic, measure.others)
    p_shuffled = (
        None if shuffled is None else rank_p(measure.statistic, (shuffled.statistic, *shuffled.others))
    )
    stands = standing(measure.statistic, p, p_shuffled)
    meaningful = stands == "stands out"
    numbers, pictures = measure.numbers, measure.pictures
    if shuffled is not None and p_shuffled is not None:
        numbers = tuple(
            _beside(number, shuffled, p_shuffled if k == 0 else None) for k, number in enumerate(numbers)
        )
        pictures = tuple(_with_shuffled(picture, shuffled) for picture in pictures)
    return Check(
        name=check.name,
        assumption=check.assumption,
        answer=check.answer(measure, meaningful=meaningful) if measure.numbers else NOT_MEASURED,
        standing=stands,
        meaningful=meaningful,
        p=p,
        p_shuffled=p_shuffled,
        sentence=f"{measure.words} {_standing_words(stands, len(measure.others), p, p_shuffled)}".strip(),
        numbers=numbers,
        pictures=pictures,
        groups=measure.groups,
        subject=check.subject,
        observed=measure.observed,
        remark=measure.remark,
    )


def unmeasured(sample: UnitSample) -> Measure:
    """In place of a measurement, where a check needs examples and the unit has the same value everywhere."""
    value = float(sample.values[0][sample.kept][0])
    words = (
        f"The unit is {value:.3g} at all {sample.n:,} positions that were read, so that none of them is a"
        " strongest example."
    )
    return Measure(_NAN, (), (), (), words=words)


def standing(statistic: float, p: float, p_shuffled: float | None) -> Standing:
    """How the unit compares with the controls; the same rule for all checks."""
    if not np.isfinite(statistic):
        return "not compared"
    if p_shuffled is not None and p_shuffled > LEVEL:
        return "no better than shuffled weights"
    if p <= LEVEL:
        return "stands out"
    return "like other units" if p_shuffled is None else "differs from shuffled weights"


def _standing_words(stands: Standing, n: int, p: float, p_shuffled: float | None) -> str:
    reach = round(p * (1 + n)) - 1
    among = f"{reach} of {n} random units of the site reach as much"
    if stands == "not compared":
        return ""
    if stands == "no better than shuffled weights":
        return (
            "Units of a copy with shuffled weights do as much, so this says nothing about what was learned"
            f" ({among})."
        )
    if p_shuffled is None:
        return f"{among[0].upper()}{among[1:]}; no copy with shuffled weights was checked."
    more = "this unit stands out" if stands == "stands out" else "it is learned, but other units are like it"
    return f"{among[0].upper()}{among[1:]}, and units of a copy with shuffled weights do not: {more}."


def _beside(number: Number, shuffled: Measure, p: float | None) -> Number:
    """A number with what it is in the shuffled copy."""
    there = next((one for one in shuffled.numbers if one.name == number.name), None)
    if there is None:
        return number
    extra = Control("this unit, weights shuffled", there.value, there.n)
    if p is not None:
        units = (shuffled.statistic, *shuffled.others)
        extra = Control(f"{len(units)} units, weights shuffled (median)", middle(units), len(units), p)
    return replace(number, controls=(*number.controls, extra))


def _with_shuffled(picture: Picture, shuffled: Measure) -> Picture:
    """The strip of units gets a row for those of the shuffled copy."""
    if picture.kind != "strips":
        return picture
    row = Series("units, weights shuffled", (shuffled.statistic, *shuffled.others), (), "shuffled")
    return replace(picture, series=(*picture.series, row))
