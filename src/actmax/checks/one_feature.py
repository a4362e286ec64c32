"""One unit, one feature? The kinds of context among a unit's strongest examples.

1. The strongest positions: at most 48 that are at least half of the way from the unit's mean to its maximum,
   two of a window, no token twice in a document. Where these are fewer than 12, the strongest others fill
   them up. Their vectors are the residual stream at the unit's input.
2. *Shared context*: the share of pairs of them that are alike (:mod:`actmax.checks.kinds`). 1: one context
   each time; 1/K for K equal kinds; about 0 for random positions. This is the statistic; random units are
   treated in the same way.
3. The number of kinds, and the share of examples that belong to one.
4. *Distinct tokens*: ``exp`` of the entropy of the tokens at those positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actmax.checks.kinds import SCATTERED, Kinds, kinds, least, principal
from actmax.checks.measure import Measure, against, middle
from actmax.checks.sample import Sample
from actmax.corpus.token_text import token_text
from actmax.results.finding import Control, Group, Number, Passage, Picture, Series

STRONGEST, FEWEST, EACH_KIND, CONTEXT, DRAWS = 48, 12, 3, 12, 20
ASSUMPTION = "One unit, one feature"
_ROLES = ("unit", "other", "shuffled")

Place = tuple[int, int]


def one_feature(sample: Sample, seed: int) -> Measure:
    """The unit's numbers, and the statistic for the sample's other units."""
    examples = [strongest_examples(sample, k) for k in range(1 + len(sample.others))]
    divided = [_divide(sample, places) for places in examples]
    places, found = examples[0], divided[0]
    n, others = len(places), divided[1:]
    chance = _chance(sample, n, seed)
    spreads = [_perplexity(sample, one) for one in examples]
    shared = [one.alike for one in divided]
    inside = [_inside(one) for one in divided]
    unlike = against(-spreads[0], [-spread for spread in spreads[1:]])
    numbers = (
        Number(
            "shared_context",
            "Shared context",
            shared[0],
            n,
            f"Share of the pairs among the {n} strongest examples whose contexts are alike (cosine above"
            " 0.5): 100 % is the same context each time, 0 % another each time.",
            (
                against(shared[0], shared[1:]),
                Control(f"{DRAWS} draws of random positions", middle([one.alike for one in chance]), DRAWS),
            ),
            "percent",
        ),
        Number(
            "kinds",
            "Kinds of context",
            float(found.n),
            n,
            f"Groups of at least {least(n)} of the {n} strongest examples whose contexts are alike.",
            (
                Control(f"{len(others)} random units of the site (median)", _counts(others), len(others)),
                Control(f"{DRAWS} draws of random positions", _counts(chance), DRAWS),
            ),
            "count",
        ),
        Number(
            "in_kinds",
            "Examples that belong to a kind",
            inside[0],
            n,
            f"Of the {n} strongest examples; the others are scattered.",
            (against(inside[0], inside[1:]),),
            "percent",
        ),
        Number(
            "distinct_tokens",
            "Distinct tokens",
            spreads[0],
            n,
            f"Effective number of different tokens (exp of their entropy) at the {n} strongest positions;"
            " p is for fewer.",
            (Control(unlike.label, -unlike.value, unlike.n, unlike.p),),
        ),
    )
    return Measure(
        name="one-feature",
        assumption=ASSUMPTION,
        statistic=shared[0],
        others=tuple(shared[1:]),
        numbers=numbers,
        pictures=(_map(sample, places, found), _strip(shared[0], shared[1:])),
        groups=_groups(sample, places, found),
        facts={
            "kinds": float(found.n),
            "largest": found.sizes[0] / n if found.n else 0.0,
            "distinct_tokens": spreads[0],
            "shared_context": shared[0],
        },
        words=_words(sample, places, found),
    )


def strongest_examples(sample: Sample, unit: int = 0) -> list[Place]:
    """At most 48 positions, at least half of the way from mean to maximum, filled up to 12."""
    values, mean = sample.values[unit], float(sample.means[unit])
    found = sample.strongest(unit, STRONGEST, repeats=False)
    high = mean + 0.5 * (float(values[found[0]]) - mean)
    found = [place for place in found if values[place] >= high]
    for place in sample.strongest(unit, FEWEST) if len(found) < FEWEST else ():
        if place not in found and len(found) < FEWEST:
            found.append(place)
    return sorted(found, key=lambda place: -float(values[place]))


def commonest(sample: Sample, places: Sequence[Place]) -> tuple[str, float]:
    """The most frequent token of some places, and its share."""
    names, counts = np.unique([sample.ids[place] for place in places], return_counts=True)
    token = token_text(sample.model.tokenizer, int(names[counts.argmax()]))
    return token.strip(" ") or "space", float(counts.max() / counts.sum())


def passage(sample: Sample, row: int, column: int) -> Passage:
    """The text around one position."""
    before, token, after = sample.windows.context(int(sample.where[row, column]), CONTEXT, CONTEXT // 2)
    alone = token or token_text(sample.model.tokenizer, int(sample.ids[row, column]))
    return Passage(float(sample.values[0, row, column]), before, alone, after)


def _divide(sample: Sample, places: Sequence[Place]) -> Kinds:
    return kinds(sample.scale.directions(sample.vectors(places)))


def _chance(sample: Sample, n: int, seed: int) -> list[Kinds]:
    """The same for random positions."""
    rng = np.random.default_rng([seed, 3])
    rows, columns = np.nonzero(sample.kept)
    drawn = [rng.choice(len(rows), min(n, len(rows)), replace=False) for _ in range(DRAWS)]
    return [
        _divide(sample, list(zip(rows[one].tolist(), columns[one].tolist(), strict=True))) for one in drawn
    ]


def _inside(found: Kinds) -> float:
    return float((found.labels != SCATTERED).mean())


def _counts(found: Sequence[Kinds]) -> float:
    return middle([float(one.n) for one in found])


def _perplexity(sample: Sample, places: Sequence[Place]) -> float:
    _, counts = np.unique([sample.ids[place] for place in places], return_counts=True)
    share = counts / counts.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _map(sample: Sample, places: Sequence[Place], found: Kinds) -> Picture:
    plane = principal(sample.scale.directions(sample.vectors(places)), 2)
    plane = np.hstack([plane, np.zeros((len(plane), 2 - plane.shape[1]))])

    def series(kind: int, label: str, role: str) -> Series:
        mine = plane[found.labels == kind]
        return Series(label, tuple(mine[:, 0].tolist()), tuple(mine[:, 1].tolist()), role)

    made = [series(kind, f"kind {kind + 1}", _ROLES[kind % len(_ROLES)]) for kind in range(found.n)]
    return Picture(
        "points",
        "The strongest examples as points",
        "first principal component of the contexts",
        "second",
        (*made, series(SCATTERED, "scattered", "control")),
        f"Each of the {len(places)} strongest examples where its residual vector lies; colours are kinds."
        " Clouds that lie apart mean that different contexts drive one unit.",
    )


def _strip(mine: float, others: Sequence[float]) -> Picture:
    return Picture(
        "strips",
        "Beside other units",
        "share of pairs with alike contexts",
        "",
        (Series("this unit", (mine,), ()), Series("random units", tuple(others), (), "control")),
        f"This unit's number among those of {len(others)} random units of the site.",
    )


def _groups(sample: Sample, places: Sequence[Place], found: Kinds) -> tuple[Group, ...]:
    made = []
    for kind in (*range(found.n), SCATTERED):
        members = [place for place, label in zip(places, found.labels, strict=True) if label == kind]
        if not members:
            continue
        name = "Scattered" if kind == SCATTERED else f"Kind {kind + 1}"
        passages = tuple(passage(sample, *place) for place in members[:EACH_KIND])
        made.append(Group(f"{name}: {len(members)} of {len(places)} examples", len(members), passages))
    return tuple(made)


def _words(sample: Sample, places: Sequence[Place], found: Kinds) -> str:
    token, share = commonest(sample, places)
    n = len(places)
    if not found.n:
        said = "form no kind of context: each is alike with few others"
    else:
        sizes = " and ".join(str(size) for size in found.sizes)
        kind = "one kind" if found.n == 1 else f"{found.n} kinds"
        said = f"form {kind} of context ({sizes} examples)"
    return f"The {n} strongest examples {said}; the commonest token is “{token}” ({100 * share:.0f} %)."
