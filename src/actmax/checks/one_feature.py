"""One unit, one feature? The kinds of context among a unit's strongest examples.

1. The strongest positions: at most 48, two of a window, and (beyond the first 12) at least half of the way
   from the unit's mean to its maximum. Their vectors are the residual stream at the unit's input.
2. The number of kinds by :mod:`actmax.checks.kinds`.
3. *Compactness*: ``1 - within / total``, the mean squared distance of the vectors to the centre of their kind
   over that of random positions to theirs. 1: every example of a kind has the same context; 0: no more alike
   than any text. This is the statistic that is compared with random units, treated in the same way.
4. *Distinct tokens*: ``exp`` of the entropy of the tokens at those positions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from actmax.checks.kinds import Kinds, kinds, principal
from actmax.checks.measure import Measure, against
from actmax.checks.sample import Sample
from actmax.observe.token_text import token_text
from actmax.results.finding import Group, Number, Passage, Picture, Series

STRONGEST, FEWEST, EACH_KIND, CONTEXT = 48, 12, 3, 12
ASSUMPTION = "One unit, one feature"


def one_feature(sample: Sample, seed: int) -> Measure:
    """Measure it for the unit, and the statistic for the sample's other units."""
    total = _total(sample)
    places = strongest_examples(sample, 0)
    vectors = _vectors(sample, places)
    found = kinds(vectors, np.random.default_rng([seed, 0]))
    mine = _compactness(vectors, found, total)
    compact, counts, tokens = [], [], []
    for k in range(1, 1 + len(sample.others)):
        there = strongest_examples(sample, k)
        other = _vectors(sample, there)
        divided = kinds(other, np.random.default_rng([seed, k]))
        compact.append(_compactness(other, divided, total))
        counts.append(float(divided.n))
        tokens.append(_perplexity(sample, there))
    n = len(places)
    spread = _perplexity(sample, places)
    numbers = (
        Number(
            "compactness",
            "How alike the contexts are",
            mine,
            n,
            f"1 − the spread of the {n} strongest examples within their kinds, over that of any text: 1 is"
            " the same context each time, 0 no more alike than any text.",
            (against(mine, compact),),
            "cosine",
        ),
        Number(
            "kinds",
            "Kinds of context",
            float(found.n),
            n,
            f"Clusters among the {n} strongest examples; more than one only where the best division"
            f" (silhouette {found.silhouette:.2f}) beats all 19 draws from one cloud ({found.chance:.2f}).",
            (against(-float(found.n), [-count for count in counts]),),
            "count",
        ),
        Number(
            "distinct_tokens",
            "Distinct tokens",
            spread,
            n,
            f"Effective number of different tokens (exp of their entropy) at the {n} strongest positions.",
            (against(-spread, [-count for count in tokens]),),
        ),
    )
    return Measure(
        name="one-feature",
        assumption=ASSUMPTION,
        statistic=mine,
        others=tuple(compact),
        numbers=(numbers[0], *(_flipped(number) for number in numbers[1:])),
        pictures=(_map(vectors, found), _strip(mine, compact)),
        groups=_groups(sample, places, found),
        facts={"kinds": float(found.n), "distinct_tokens": spread, "compactness": mine},
        words=_words(sample, places, found, n),
    )


def strongest_examples(sample: Sample, unit: int = 0) -> list[tuple[int, int]]:
    """At most 48 positions, two a window, at least half of the way from mean to maximum (but 12 anyway)."""
    places = sample.strongest(unit, STRONGEST)
    values = np.array([sample.values[unit][place] for place in places], dtype=np.float64)
    mean = float(sample.means[unit])
    high = values >= mean + 0.5 * (values[0] - mean)
    return [place for k, place in enumerate(places) if high[k] or k < FEWEST]


def _flipped(number: Number) -> Number:
    """Fewer is more here: the control's value was negated for its rank."""
    return replace(number, controls=tuple(replace(one, value=-one.value) for one in number.controls))


def _vectors(sample: Sample, places: list[tuple[int, int]]) -> np.ndarray:
    rows, columns = zip(*places, strict=True)
    made: np.ndarray = sample.inputs[list(rows), list(columns)].double().numpy()
    return made


def _total(sample: Sample) -> float:
    """Mean squared distance of kept positions' vectors to their mean."""
    kept = sample.inputs[sample.kept].double()
    return float((kept - kept.mean(dim=0)).square().sum(dim=1).mean())


def _compactness(vectors: np.ndarray, found: Kinds, total: float) -> float:
    if total <= 0:
        return float("nan")
    within = 0.0
    for kind in range(found.n):
        mine = vectors[found.labels == kind]
        within += float(((mine - mine.mean(axis=0)) ** 2).sum())
    return 1 - within / len(vectors) / total


def _perplexity(sample: Sample, places: list[tuple[int, int]]) -> float:
    _, counts = np.unique([sample.ids[place] for place in places], return_counts=True)
    share = counts / counts.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _map(vectors: np.ndarray, found: Kinds) -> Picture:
    plane = principal(vectors, 2)
    plane = np.hstack([plane, np.zeros((len(plane), 2 - plane.shape[1]))])
    roles = ("unit", "other", "shuffled", "control")
    series = tuple(
        Series(
            f"kind {kind + 1}",
            tuple(plane[found.labels == kind, 0].tolist()),
            tuple(plane[found.labels == kind, 1].tolist()),
            roles[min(kind, 3)],
        )
        for kind in range(found.n)
    )
    return Picture(
        "points",
        "The strongest examples as points",
        "first principal component of the contexts",
        "second",
        series,
        f"Each of the {len(vectors)} strongest examples where its residual vector lies; colours are kinds."
        " Clouds that lie apart mean that different contexts drive one unit.",
    )


def _strip(mine: float, others: list[float]) -> Picture:
    return Picture(
        "strips",
        "Beside other units",
        "how alike the contexts are",
        "",
        (Series("this unit", (mine,), ()), Series("random units", tuple(others), (), "control")),
        f"This unit's number among those of {len(others)} random units of the site.",
    )


def _groups(sample: Sample, places: list[tuple[int, int]], found: Kinds) -> tuple[Group, ...]:
    made = []
    for kind in range(found.n):
        members = [place for place, label in zip(places, found.labels, strict=True) if label == kind]
        passages = tuple(passage(sample, *place) for place in members[:EACH_KIND])
        made.append(
            Group(f"Kind {kind + 1}: {len(members)} of {len(places)} examples", len(members), passages)
        )
    return tuple(made)


def passage(sample: Sample, row: int, column: int) -> Passage:
    """The text around one position."""
    before, token, after = sample.windows.context(int(sample.where[row, column]), CONTEXT, CONTEXT // 2)
    alone = token or token_text(sample.model.tokenizer, int(sample.ids[row, column]))
    return Passage(float(sample.values[0, row, column]), before, alone, after)


def _words(sample: Sample, places: list[tuple[int, int]], found: Kinds, n: int) -> str:
    names, counts = np.unique([sample.ids[place] for place in places], return_counts=True)
    top = int(names[counts.argmax()])
    token = token_text(sample.model.tokenizer, top).strip(" ")
    share = 100 * counts.max() / n
    kinds_said = "one cloud" if found.n == 1 else f"{found.n} kinds"
    return (
        f"The {n} strongest examples form {kinds_said} of contexts; the commonest token is “{token}”"
        f" ({share:.0f} %)."
    )
