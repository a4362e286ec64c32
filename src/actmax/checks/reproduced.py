"""From runs to the numbers, words and pictures of a reproduction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from actmax.checks.reproducibility import Agreement, Verdict, agreement, verdict
from actmax.checks.soft_batch import Optima
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.results.finding import Control, Number, Picture, Series
from actmax.results.reproduce import Repeat


def repeats(model: Model, optima: Optima, rows: Sequence[int]) -> tuple[Repeat, ...]:
    """The runs of one unit, in order."""
    tokenizer = model.tokenizer
    made = []
    for k, row in enumerate(rows):
        ids = optima.ids[row].tolist()
        made.append(
            Repeat(
                run=k,
                activation_initial=float(optima.initial[row]),
                activation_final=float(optima.final[row]),
                ids=tuple(ids),
                tokens=tuple(str(tokenizer.decode([i])) for i in ids),
                text=str(tokenizer.decode(ids)),
                activation_of_ids=float(optima.on_tokens[row]),
            )
        )
    return tuple(made)


def soft_agreements(
    optima: Optima, unit: Unit, unrelated: Sequence[Unit]
) -> tuple[Agreement, Agreement, list[Agreement]]:
    """Of the unit's runs, of their random starts, and of each unrelated unit that has two runs or more."""
    rows = optima.rows(unit)
    of_starts = agreement(optima.start[rows], optima.start_ids[rows], optima.initial[rows])
    others = []
    for other in unrelated:
        chosen = optima.rows(other)
        if len(chosen) > 1:
            others.append(agreement(*_found(optima, chosen)))
    return agreement(*_found(optima, rows)), of_starts, others


def _found(optima: Optima, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return optima.optimum[rows], optima.ids[rows], optima.final[rows], optima.start[rows]


def token_agreement(model: Model, ids: torch.Tensor, activation: torch.Tensor) -> Agreement:
    """Of runs of a token method: their vectors are the embeddings of what they found."""
    return agreement(model.embedding[ids.to(model.device)], ids, activation)


def numbers(
    found: Agreement, starts: Agreement, others: Sequence[Agreement], *, soft: bool
) -> tuple[Number, ...]:
    """The numbers with their controls, each with its line of words."""
    total = found.runs * found.positions
    of = f"{found.runs} runs × {found.positions} positions"
    what = "decoded tokens" if soft else "tokens"
    lines = {
        "unique_tokens": (
            "Unique tokens",
            f"Distinct among the {total} {what} of {of}; {found.positions} would be one text found each"
            " time.",
            total,
            "count",
        ),
        "activation_spread": (
            "Spread of activations",
            f"Standard deviation over the mean of the final activations of {found.runs} runs; 0 is full"
            " agreement.",
            found.runs,
            "percent",
        ),
        "cosine_by_position": (
            "Cosine, position by position",
            f"Mean over {len(found.pairs)} pairs of runs; 1 is the same vector at each position.",
            len(found.pairs),
            "cosine",
        ),
        "cosine_matched": (
            "Cosine after best matching",
            f"The same over {len(found.pairs)} pairs, positions put into the order that fits best.",
            len(found.pairs),
            "cosine",
        ),
        "cosine_of_change": (
            "Cosine of the changes",
            f"The same by position for what the search added to its start ({len(found.pairs)} pairs): do"
            " runs move the same way?",
            len(found.pairs),
            "cosine",
        ),
        "participation_ratio": (
            "Dimension of the subspace",
            f"Participation ratio of all {total} vectors: how many directions they really use, at most"
            f" {total}.",
            total,
            "number",
        ),
    }
    if not soft:
        del lines["cosine_of_change"]
    made = []
    for name, (label, says, n, style) in lines.items():
        controls = []
        if name != "cosine_of_change":
            controls.append(Control("random starts", float(getattr(starts, name)), starts.runs))
        if others:
            values = [float(getattr(other, name)) for other in others]
            middle = float(np.median(values))
            controls.append(Control(f"{len(others)} unrelated units, as many runs", middle, len(others)))
        made.append(Number(name, label, float(getattr(found, name)), n, says, tuple(controls), style))
    return tuple(made)


def pictures(
    found: Agreement, starts: Agreement, others: Sequence[Agreement], activations: Sequence[float]
) -> tuple[Picture, ...]:
    """Similarity of pairs of runs, and what each run reached."""
    rows = [
        Series("this unit's runs", found.pairs, (), "unit"),
        Series("their random starts", starts.pairs, (), "control"),
    ]
    if others:
        pairs = tuple(pair for other in others for pair in other.pairs)
        rows.append(Series("unrelated units' runs", pairs, (), "other"))
    ranked = sorted(value for value in activations if np.isfinite(value))
    return (
        Picture(
            "strips",
            "How alike are two runs?",
            "cosine similarity after best matching",
            "",
            tuple(rows),
            f"One mark a pair of runs ({len(found.pairs)} pairs of this unit). At 1 two runs found the same"
            " vectors; where the random starts are, they have nothing in common.",
        ),
        Picture(
            "points",
            "What each run reached",
            "run, from the lowest",
            "activation",
            (Series("final activation", tuple(float(k) for k in range(1, len(ranked) + 1)), tuple(ranked)),),
            f"The final activations of {len(ranked)} runs. Equal heights with different vectors mean that"
            " many inputs serve the unit equally well.",
        ),
    )


def sentence(kind: Verdict, found: Agreement, starts: Agreement) -> str:
    """The verdict in words."""
    total = found.runs * found.positions
    tokens = f"{found.unique_tokens} of {total} tokens are distinct"
    if kind == "same point":
        return f"{found.runs} runs found the same point (cosine {found.cosine_matched:.2f}); {tokens}."
    chance = f"{starts.participation_ratio:.1f} for random starts"
    spans = f"{found.participation_ratio:.1f} dimensions against {chance}"
    if kind == "same subspace":
        return (
            f"{found.runs} runs found different points of one subspace: the vectors span {spans} and have a"
            f" cosine of {found.cosine_matched:.2f}; {tokens}."
        )
    return (
        f"{found.runs} runs found different solutions: their vectors have a cosine of"
        f" {found.cosine_matched:.2f} and span {spans}; {tokens}."
    )


__all__ = ["numbers", "pictures", "repeats", "sentence", "soft_agreements", "token_agreement", "verdict"]
