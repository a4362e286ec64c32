"""Three sentences that the numbers of an investigation allow; the rules are in
``report/methods/investigate.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actmax.checks.verdicts import PARTLY, READABLE
from actmax.results.finding import Check


@dataclass(frozen=True)
class Facts:
    """What the sentences are made from."""

    unit: str
    top_token: str
    """The most frequent token among the strongest examples."""
    top_share: float
    """Of those examples."""
    kinds: int
    auc: float
    soft: float
    """What the best vectors give."""
    soft_ratio: float | None
    """Over the corpus maximum."""
    on_tokens: float
    """What the nearest tokens of the best run give, reduced over positions in the same way."""
    peak: float
    """The strongest position among all runs' nearest tokens."""
    strong: float
    """The median of the strongest corpus examples."""
    runs: int
    verdict: str
    """Of reproducibility."""


def conclusion(facts: Facts, checks: Sequence[Check]) -> tuple[str, str, str]:
    """Observation, intervention, and what may be concluded."""
    return _seen(facts), _done(facts), _concluded(facts, checks)


def _seen(facts: Facts) -> str:
    kinds = "one kind of context" if facts.kinds == 1 else f"{facts.kinds} kinds of context"
    if facts.auc >= READABLE:
        told = "its strongest positions can be predicted in unseen text"
    elif facts.auc >= PARTLY:
        told = "its strongest positions can be predicted in part"
    else:
        told = "a simple predictor does not find its strongest positions in unseen text"
    return (
        f"In real text, {facts.unit} is strongest in {kinds}, most often at “{facts.top_token}”"
        f" ({100 * facts.top_share:.0f} % of the strongest examples), and {told} (AUC {facts.auc:.2f})."
    )


def _done(facts: Facts) -> str:
    ratio = "" if facts.soft_ratio is None else f", {_times(facts.soft_ratio)} the corpus maximum"
    at_best = f"{facts.peak:.3g} at their strongest position"
    shows = (
        f"{at_best}, less than its strongest examples in the corpus ({facts.strong:.3g}): the optimum does"
        " not show what text does"
        if facts.peak < facts.strong
        else f"{at_best}, as much as its strongest examples in the corpus ({facts.strong:.3g})"
    )
    again = {
        "same point": f"{facts.runs} runs find the same point",
        "same subspace": f"{facts.runs} runs find different points of one subspace",
        "different solutions": f"{facts.runs} runs find different solutions",
    }[facts.verdict]
    return (
        f"Free vectors drive it to {facts.soft:.3g}{ratio}, but their nearest tokens give"
        f" {facts.on_tokens:.3g} and {shows}; {again}."
    )


def _concluded(facts: Facts, checks: Sequence[Check]) -> str:
    unread = any(check.answer == "nothing reads it" for check in checks)
    survive = [check.assumption.lower() for check in checks if check.standing == "survives shuffling"]
    out = [check.assumption.lower() for check in checks if check.meaningful]
    parts = []
    if unread:
        parts.append("nothing in the model reads this unit")
    if out:
        parts.append(f"it stands out among units of its site for: {_listed(out)}")
    elif len(survive) < len(checks):
        parts.append("it does not stand out among units of its site")
    if survive:
        parts.append(
            f"shuffled weights give as much for {_listed(survive)}, so those numbers say nothing of what was"
            " learned"
        )
    said = "; ".join(parts) or "nothing was checked"
    return f"What may be concluded: {said}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times" if ratio < 10 else f"{ratio:.0f} times"
