"""The conclusion of an investigation.

The conclusion has three sentences, made from the numbers by these rules.

1. *Where it is strong in real text*: the kinds of context of the strongest examples; their most frequent
   token, called usual if it makes up at least 20 % of them; and whether a simple predictor finds the
   strongest positions in unseen text (AUC at least 0.8: predicted; at least 0.65: in part; else not).
2. *What intervention shows*: what free vectors reach after so many steps, in corpus maxima (where the corpus
   maximum is above zero). If what the nearest tokens of a run give at their strongest position (median over
   runs) is less than the median of the strongest corpus examples, the optimum is said not to show what text
   does. Then what the best text of a search over tokens gives, and whether its context is like that of the
   strongest examples (resemblance at least 0.9). Then whether independent runs agree (the verdict of
   reproducibility).
3. *What may be concluded*: whether anything reads the unit; the checks in which it stands out; those in which
   it differs from the shuffled copy, but is like other units of its site; those in which a copy with shuffled
   weights does as well, which are no evidence of something learned; and those that could not be compared.
   Each check speaks of its first number. This is the conclusion of `check` too.

*The best text* is found by the best search over tokens (12 tokens, 1,536 sequences scored, read at the last
one), which begins from the strongest examples of the same reading of the corpus. *In corpus maxima* means
divided by the unit's largest activation there.

*Resemblance* compares residual vectors at the unit's input, standardised as for "One unit, one feature": the
mean cosine of a text's strongest position with the three nearest of the strongest examples, as a rank among
all positions of the corpus (1: more like the examples than any position; 0.5: chance).

In an investigation the *unrelated units* of reproducibility are ten of the random units, one run each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actmax.results.finding import Check

LIKE = 0.9
"""Resemblance from which a text is called like the strongest examples."""


@dataclass(frozen=True)
class Driven:
    """What intervention shows, for the second sentence."""

    soft: float
    """What the best vectors give."""
    steps: int
    """How many steps of soft ascent led there."""
    soft_ratio: float | None
    """Over the corpus maximum; None where that is not above zero."""
    peak: float
    """The strongest position of a run's nearest tokens: the median over runs."""
    strong: float
    """The median of the strongest corpus examples."""
    runs: int
    verdict: str
    """Of reproducibility."""
    text: float | None = None
    """What the best text of a search over tokens gives; None where none was made."""
    text_ratio: float | None = None
    resemblance: float = 0.5
    """Of that text."""


def observed(unit: str, checks: Sequence[Check]) -> str:
    """Where the unit is strong in real text: the clauses of the checks that have one."""
    clauses = [check.observed for check in checks if check.observed]
    if not clauses:
        why = next((check.sentence for check in checks if not check.numbers), "No check speaks of it.")
        return f"In real text, nothing can be said: {why[:1].lower()}{why[1:]}"
    return f"In real text, {', and '.join(clauses)}."


def driven(facts: Driven) -> str:
    """What intervention shows."""
    examples = f"its strongest examples in the corpus ({facts.strong:.3g})"
    tokens = f"the nearest tokens of a run give {facts.peak:.3g} at their strongest position"
    if facts.peak < facts.strong:
        shows = f", but {tokens}, less than {examples}, so the optimum does not show what text does"
    else:
        shows = f", and {tokens}, as much as {examples}"
    text = ""
    if facts.text is not None:
        like = "like" if facts.resemblance >= LIKE else "not like"
        text = f"; the best text that was searched gives {facts.text:.3g}{_times(facts.text_ratio)},"
        text += f" in a context {like} theirs"
    again = {
        "same point": "find the same point",
        "same subspace": "find different points of one subspace",
        "different solutions": "find different solutions",
    }[facts.verdict]
    return (
        f"Free vectors drive it to {facts.soft:.3g}{_times(facts.soft_ratio)} after {facts.steps}"
        f" steps{shows}{text}; {facts.runs} runs {again}."
    )


def concluded(checks: Sequence[Check]) -> str:
    """What may be concluded from the checks."""
    subjects: dict[str, list[str]] = {}
    for check in checks:
        subjects.setdefault(check.standing, []).append(check.subject)
    parts = [check.remark for check in checks if check.remark]
    if out := subjects.get("stands out"):
        parts.append(f"it stands out among units of its site in {_listed(out)}")
    if learned := subjects.get("differs from shuffled weights"):
        parts.append(
            f"in {_listed(learned)}, it differs from shuffled weights, but is like other units of its site"
        )
    if alike := subjects.get("like other units"):
        parts.append(f"in {_listed(alike)}, it is like other units of its site")
    if chance := subjects.get("no better than shuffled weights"):
        everywhere = len(chance) == len(checks) > 1
        where = "in all of the checks" if everywhere else f"in {_listed(chance)}"
        none = "none of them is" if everywhere else "that is no"
        parts.append(
            f"a copy with shuffled weights does as well {where}, so {none} evidence of something learned"
        )
    if absent := subjects.get("not compared"):
        parts.append(f"{_listed(absent)} could not be compared")
    if any(check.p_shuffled is None for check in checks):
        parts.append("no copy with shuffled weights was checked in full, so what it would give is not known")
    return f"What may be concluded: {'; '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f" ({ratio:.2g} times the corpus maximum)"
