"""Three sentences that the numbers of an investigation allow; rules: ``report/methods/investigate.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actmax.checks.verdicts import PARTLY, READABLE
from actmax.results.finding import Check

COMMON = 0.2
"""Share of the strongest examples from which their most frequent token is called the usual one."""
LIKE = 0.9
"""Resemblance from which a text is called like the strongest examples."""
SUBJECTS = {
    "one-feature": "how alike its contexts are",
    "importance": "what ablating it does",
    "continuity": "what tokens keep of its optimum",
    "readability": "how well words predict it",
}


@dataclass(frozen=True)
class Facts:
    """What the sentences are made from, besides the checks."""

    unit: str
    top_token: str
    """The most frequent token among the strongest examples."""
    top_share: float
    """Of those examples."""
    kinds: str
    """The answer of the first check."""
    auc: float
    soft: float
    """What the best vectors give."""
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


def conclusion(facts: Facts, checks: Sequence[Check]) -> tuple[str, str, str]:
    """Observation, intervention, and what may be concluded."""
    return _seen(facts), _done(facts), _concluded(checks)


def _seen(facts: Facts) -> str:
    where = "no clear kind of context" if facts.kinds == "no clear kind" else facts.kinds
    share = f"{100 * facts.top_share:.0f} %"
    if facts.top_share >= COMMON:
        token = f"most often at “{facts.top_token}” ({share} of its strongest examples)"
    else:
        token = f"at no token in particular (the commonest, “{facts.top_token}”, makes {share})"
    if facts.auc >= READABLE:
        told = "simple facts about the words predict where"
    elif facts.auc >= PARTLY:
        told = "simple facts about the words predict in part where"
    else:
        told = "simple facts about the words do not predict where"
    return (
        f"In real text, {facts.unit} is strongest in {where}, {token}, and {told}"
        f" (AUC {facts.auc:.2f}; chance is 0.5)."
    )


def _done(facts: Facts) -> str:
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
        f"Free vectors drive it to {facts.soft:.3g}{_times(facts.soft_ratio)}{shows}{text};"
        f" {facts.runs} runs {again}."
    )


def _concluded(checks: Sequence[Check]) -> str:
    standing: dict[str, list[str]] = {}
    for check in checks:
        standing.setdefault(check.standing, []).append(SUBJECTS[check.name])
    survive, out = standing.get("survives shuffling", []), standing.get("stands out", [])
    ordinary = standing.get("ordinary", [])
    shuffled = all(check.p_shuffled is not None for check in checks)
    parts = []
    if any(check.answer == "nothing reads it" for check in checks):
        parts.append("nothing in the model reads this unit")
    if out:
        parts.append(f"it stands out among units of its site in {_listed(out)}")
    if ordinary:
        beyond = "beyond shuffled weights, but " if shuffled else ""
        parts.append(f"in {_listed(ordinary)}, it is {beyond}like other units of its site")
    if len(survive) == len(checks) > 1:
        parts.append(
            "a copy with shuffled weights does as well in all of the checks, so none of them is evidence of"
            " something learned"
        )
    elif survive:
        parts.append(
            f"a copy with shuffled weights does as well in {_listed(survive)}, so that is no evidence of"
            " something learned"
        )
    if not shuffled:
        parts.append("no copy with shuffled weights was checked in full, so what survives there is not known")
    return f"What may be concluded: {'; '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f" ({ratio:.2g} times the corpus maximum)"
