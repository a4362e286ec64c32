"""From measurements to words: every rule by which a check is answered, in one place.

*Standing*, the same for all checks. ``p`` is the rank p-value of the check's statistic among random units of
the site; ``p_shuffled`` that among units (the unit itself and random ones) of a copy with shuffled weights.

1. ``survives shuffling``: ``p_shuffled > 0.05``. Shuffled weights give as much, so it says nothing about the
   learned unit.
2. ``ordinary``: beyond the shuffled copy, but ``p > 0.05``: other units here are like it.
3. ``stands out``: beyond both. Only this is called *meaningful*. A unit drawn at random from its site reaches
   ``p <= 0.05`` in at most 5 % of cases, whatever the model, because its rank among other random units is
   uniform; the second condition can only lower that.

*Answers*:

- one feature: more than one kind of context: ``K kinds of context``; one that holds at least half of the
  strongest examples: ``one kind of context``; else ``no clear kind``.
- importance: no effect above 1e-7 nats anywhere: ``nothing reads it``; standing out: ``important``; else ``no
  more than other units``.
- continuity: the largest step of 32 is at least half of the range: ``it jumps``; the nearest tokens keep less
  than half of the optimum's gain: ``the optimum is no text``; else ``continuous``.
- readability: AUC at least 0.8 from the token alone: ``readable from the token``; at least 0.8 with context:
  ``readable from context``; at least 0.65: ``partly readable``; else ``not readable``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from actmax.checks.measure import Measure, middle, rank_p
from actmax.results.finding import Check, Control, Number, Picture, Series

LEVEL = 0.05
UNREAD, CLIFF, KEPT, READABLE, PARTLY, MOSTLY = 1e-7, 0.5, 0.5, 0.8, 0.65, 0.5


def judge(measure: Measure, shuffled: Measure | None = None) -> Check:
    """The check of a measurement, and of the same on a copy with shuffled weights where that was made."""
    p = rank_p(measure.statistic, measure.others)
    p_shuffled = (
        None if shuffled is None else rank_p(measure.statistic, (shuffled.statistic, *shuffled.others))
    )
    stands = standing(p, p_shuffled)
    meaningful = stands == "stands out"
    said = answer(measure.name, measure.facts, meaningful=meaningful)
    numbers, pictures = measure.numbers, measure.pictures
    if shuffled is not None and p_shuffled is not None:
        numbers = tuple(
            _beside(number, shuffled, p_shuffled if k == 0 else None) for k, number in enumerate(numbers)
        )
        pictures = tuple(_with_shuffled(picture, shuffled) for picture in pictures)
    return Check(
        name=measure.name,
        assumption=measure.assumption,
        answer=said,
        standing=stands,
        meaningful=meaningful,
        p=p,
        p_shuffled=p_shuffled,
        sentence=f"{measure.words} {_standing_words(stands, len(measure.others), p, p_shuffled)}",
        numbers=numbers,
        pictures=pictures,
        groups=measure.groups,
    )


def standing(p: float, p_shuffled: float | None) -> str:
    """The rule for all checks."""
    if p_shuffled is not None and p_shuffled > LEVEL:
        return "survives shuffling"
    return "stands out" if p <= LEVEL else "ordinary"


def answer(name: str, facts: Mapping[str, float], *, meaningful: bool) -> str:
    """A word or two on the assumption itself.

    Raises:
        KeyError: an unknown check.
    """
    return {
        "one-feature": _one_feature,
        "importance": _importance,
        "continuity": _continuity,
        "readability": _readability,
    }[name](facts, meaningful)


def _one_feature(facts: Mapping[str, float], meaningful: bool) -> str:
    if facts["kinds"] > 1:
        return f"{facts['kinds']:.0f} kinds of context"
    return "one kind of context" if facts["largest"] >= MOSTLY else "no clear kind"


def _importance(facts: Mapping[str, float], meaningful: bool) -> str:
    if facts["largest_kl"] <= UNREAD:
        return "nothing reads it"
    return "important" if meaningful else "no more than other units"


def _continuity(facts: Mapping[str, float], meaningful: bool) -> str:
    if facts["jump"] >= CLIFF:
        return "it jumps"
    return "continuous" if facts["kept_by_tokens"] >= KEPT else "the optimum is no text"


def _readability(facts: Mapping[str, float], meaningful: bool) -> str:
    if facts["token_auc"] >= READABLE:
        return "readable from the token"
    if facts["detection_auc"] >= READABLE:
        return "readable from context"
    return "partly readable" if facts["detection_auc"] >= PARTLY else "not readable"


def _standing_words(stands: str, n: int, p: float, p_shuffled: float | None) -> str:
    reach = round(p * (1 + n)) - 1
    among = f"{reach} of {n} random units of the site reach as much"
    if stands == "survives shuffling":
        return (
            "Units of a copy with shuffled weights do as much, so this says nothing about what was learned"
            f" ({among})."
        )
    if p_shuffled is None:
        return f"{among[0].upper()}{among[1:]}; no copy with shuffled weights was made."
    more = "this unit stands out" if stands == "stands out" else "no chance, but other units are like it"
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
