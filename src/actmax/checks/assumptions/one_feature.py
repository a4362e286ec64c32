"""A unit stands for one feature: its strongest examples share one kind of context.

The strongest positions of the corpus: at most 48 that are at least half of the way from the unit's mean to
its maximum, at most two from one window of 128 tokens and no token twice in a document; where these are fewer
than 12, the next strongest fill them up. Sinks and position 0 are left out. Each example is described by the
residual stream at the unit's input: before the MLP for MLP units, before the block for all other units. Every
dimension is centred on its mean over the corpus and divided by its standard deviation there, so that the few
dimensions in which a residual stream is huge do not decide the matter.

1. *Shared context*, which is judged: two examples are alike where the cosine of their vectors is above 0.5.
   The number is the share of pairs that are alike: 1 for one context, 1/K for K kinds of equal size, about 0
   for random positions. Random units of the site are treated in the same way.
2. *Kinds of context*: groups are joined, closest first, as long as the mean cosine between them is above 0.5
   (average linkage, scikit-learn). A kind is a group of at least a tenth of the examples, and of at least
   three. So the number of kinds is found and not chosen, and it may be zero. Random positions are treated in
   the same way to see what chance gives.
3. *Examples that belong to a kind*: the rest are scattered.
4. *Distinct tokens*: the exponential of the entropy of the tokens at those positions.

The answer is `K kinds of context` where there is more than one kind, `one kind of context` where there is one
and it holds at least half of the examples, and otherwise `no clear kind`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from actmax.checks.assumption import Material, Measure, Need
from actmax.checks.examples import Place, most_frequent_token, passage, strongest_examples
from actmax.checks.kinds import SCATTERED, Kinds, divide, least, principal
from actmax.checks.ranks import against, middle
from actmax.checks.sample import UnitSample
from actmax.progress import Progress
from actmax.results.finding import Control, Number, PassageGroup, Picture, Series

EACH_KIND, DRAWS = 3, 20
MOSTLY = 0.5
"""Share of the examples from which a single kind is called the one kind of context."""
COMMON = 0.2
"""Share of the examples from which their most frequent token is called the usual one."""
_ROLES = ("unit", "other", "shuffled")


class OneFeature:
    """One unit, one feature."""

    name: ClassVar[str] = "one-feature"
    assumption: ClassVar[str] = "One unit, one feature"
    subject: ClassVar[str] = "how alike its contexts are"
    order: ClassVar[int] = 10
    needs: ClassVar[frozenset[Need]] = frozenset({"examples"})

    def measure(self, material: Material, progress: Progress) -> Measure:
        """Shared context of the strongest examples; the same for random units."""
        sample = material.sample
        examples = [strongest_examples(sample, k) for k in range(1 + len(sample.others))]
        divided = [_divided(sample, places) for places in examples]
        places, found = examples[0], divided[0]
        spreads = [_perplexity(sample, one) for one in examples]
        shared = [one.alike for one in divided]
        answer = _answer(found.n, found.sizes[0] / len(places) if found.n else 0.0)
        return Measure(
            statistic=shared[0],
            others=tuple(shared[1:]),
            numbers=_numbers(divided, spreads, _by_chance(sample, len(places), material.seed)),
            pictures=(_map(sample, places, found), _strip(shared[0], shared[1:])),
            groups=_groups(sample, places, found),
            facts={
                "kinds": float(found.n),
                "largest": found.sizes[0] / len(places) if found.n else 0.0,
                "distinct_tokens": spreads[0],
                "shared_context": shared[0],
            },
            words=_words(sample, places, found),
            observed=strongest_in(sample.unit.name, answer, *most_frequent_token(sample, places)),
        )

    def answer(self, measure: Measure, *, meaningful: bool) -> str:
        """How many kinds of context there are."""
        return _answer(int(measure.facts["kinds"]), measure.facts["largest"])


def _answer(kinds: int, largest: float) -> str:
    if kinds > 1:
        return f"{kinds} kinds of context"
    return "one kind of context" if largest >= MOSTLY else "no clear kind"


def _divided(sample: UnitSample, places: Sequence[Place]) -> Kinds:
    return divide(sample.scale.directions(sample.vectors(places)))


def _by_chance(sample: UnitSample, n: int, seed: int) -> list[Kinds]:
    """The division of as many random positions, several times."""
    rng = np.random.default_rng([seed, 3])
    rows, columns = np.nonzero(sample.kept)
    drawn = [rng.choice(len(rows), min(n, len(rows)), replace=False) for _ in range(DRAWS)]
    return [
        _divided(sample, list(zip(rows[one].tolist(), columns[one].tolist(), strict=True))) for one in drawn
    ]


def _numbers(
    divided: Sequence[Kinds], spreads: Sequence[float], chance: Sequence[Kinds]
) -> tuple[Number, ...]:
    """The numbers of the first division, with those of the rest and of random positions as controls."""
    found, others = divided[0], divided[1:]
    n = len(found.labels)
    shared = [one.alike for one in divided]
    inside = [float((one.labels != SCATTERED).mean()) for one in divided]
    fewer = against(-spreads[0], [-spread for spread in spreads[1:]])
    return (
        Number(
            "shared_context",
            "Shared context",
            shared[0],
            n,
            f"Share of the pairs among the {n} strongest examples whose contexts are alike (cosine above"
            " 0.5): 100 % is the same context each time, 0 % a different one each time.",
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
            f"Share of the {n} strongest examples; the rest are scattered.",
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
            (Control(fewer.label, -fewer.value, fewer.n, fewer.p),),
        ),
    )


def _counts(found: Sequence[Kinds]) -> float:
    return middle([float(one.n) for one in found])


def _perplexity(sample: UnitSample, places: Sequence[Place]) -> float:
    _, counts = np.unique([sample.ids[place] for place in places], return_counts=True)
    share = counts / counts.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _map(sample: UnitSample, places: Sequence[Place], found: Kinds) -> Picture:
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
        f"The residual vector of each of the {len(places)} strongest examples; colours are kinds. Clouds"
        " that lie apart mean that different contexts drive one unit.",
    )


def _strip(mine: float, others: Sequence[float]) -> Picture:
    return Picture(
        "strips",
        "Beside random units",
        "share of pairs with alike contexts",
        "",
        (Series("this unit", (mine,), ()), Series("random units", tuple(others), (), "control")),
        f"This unit's number among those of {len(others)} random units of the site.",
    )


def _groups(sample: UnitSample, places: Sequence[Place], found: Kinds) -> tuple[PassageGroup, ...]:
    made = []
    for kind in (*range(found.n), SCATTERED):
        members = [place for place, label in zip(places, found.labels, strict=True) if label == kind]
        if not members:
            continue
        name = "Scattered" if kind == SCATTERED else f"Kind {kind + 1}"
        passages = tuple(passage(sample, *place) for place in members[:EACH_KIND])
        made.append(PassageGroup(f"{name}: {len(members)} of {len(places)} examples", len(members), passages))
    return tuple(made)


def _words(sample: UnitSample, places: Sequence[Place], found: Kinds) -> str:
    token, share = most_frequent_token(sample, places)
    n = len(places)
    if not found.n:
        said = "form no kind of context: each is alike with few of the rest"
    else:
        sizes = " and ".join(str(size) for size in found.sizes)
        kind = "one kind" if found.n == 1 else f"{found.n} kinds"
        said = f"form {kind} of context ({sizes} examples)"
    return f"The {n} strongest examples {said}; the most frequent token is “{token}” ({100 * share:.0f} %)."


def strongest_in(unit: str, answer: str, token: str, share: float) -> str:
    """The clause of a conclusion: in which contexts the unit is strongest, and at which token."""
    where = "no clear kind of context" if answer == "no clear kind" else answer
    said = f"{100 * share:.0f} %"
    if share >= COMMON:
        at = f"most often at “{token}” ({said} of its strongest examples)"
    else:
        at = f"at no token in particular (the most frequent, “{token}”, makes up {said})"
    return f"{unit} is strongest in {where}, {at}"
