"""From runs to the numbers, words and pictures of a reproduction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from actmax.checks.ranks import middle
from actmax.checks.reproducibility import Agreement, Verdict, agreement
from actmax.checks.soft_batch import Optima
from actmax.models.model import Model
from actmax.models.sites import Unit
from actmax.results.finding import Control, Number, Picture, Series
from actmax.results.reproduce import RepeatedRun

START = {True: "random starts", False: "random tokens"}
"""What the runs are compared with, for methods over free vectors and over tokens."""


def repeats(model: Model, optima: Optima, rows: Sequence[int]) -> tuple[RepeatedRun, ...]:
    """The runs of one unit, in order."""
    tokenizer = model.tokenizer
    made = []
    for k, row in enumerate(rows):
        ids = optima.ids[row].tolist()
        made.append(
            RepeatedRun(
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


@dataclass(frozen=True)
class Unrelated:
    """What the runs of other units of the site have in common."""

    label: str
    names: tuple[str, ...]
    agreements: tuple[Agreement, ...]

    def numbers(self, name: str) -> list[float]:
        """One number of every agreement."""
        return [float(getattr(one, name)) for one in self.agreements]

    @property
    def pairs(self) -> tuple[float, ...]:
        """The similarity of all pairs of runs."""
        return tuple(pair for one in self.agreements for pair in one.pairs)


NOTHING_UNRELATED = Unrelated("", (), ())


def soft_agreements(
    optima: Optima, unit: Unit, unrelated: Sequence[Unit]
) -> tuple[Agreement, Agreement, Unrelated]:
    """The agreement of the unit's runs, of their random starts, and of unrelated units.

    Where those have several runs each, it is the agreement within each of them; where they have one each,
    that between as many of them as the unit has runs.
    """
    rows = optima.rows(unit)
    of_starts = agreement(optima.start[rows], optima.start_ids[rows], optima.initial[rows])
    several = [other for other in unrelated if len(optima.rows(other)) > 1]
    single = [other for other in unrelated if len(optima.rows(other)) == 1][: len(rows)]
    found = agreement(*_found(optima, rows))
    if several:
        within = tuple(agreement(*_found(optima, optima.rows(other))) for other in several)
        return found, of_starts, as_many_runs([other.name for other in several], within)
    if len(single) < 2:
        return found, of_starts, NOTHING_UNRELATED
    vectors, ids, final, start = _found(optima, [optima.rows(other)[0] for other in single])
    between = agreement(vectors, ids, torch.full_like(final, torch.nan), start)
    label = f"{len(single)} unrelated units, one run each"
    return found, of_starts, Unrelated(label, tuple(other.name for other in single), (between,))


def as_many_runs(names: Sequence[str], agreements: Sequence[Agreement]) -> Unrelated:
    """The agreements of units that were searched as often as the unit itself."""
    what = "an unrelated unit" if len(names) == 1 else f"{len(names)} unrelated units"
    return Unrelated(f"{what}, as many runs", tuple(names), tuple(agreements))


def _found(optima: Optima, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return optima.optimum[rows], optima.ids[rows], optima.final[rows], optima.start[rows]


def token_agreement(model: Model, ids: torch.Tensor, activation: torch.Tensor) -> Agreement:
    """The agreement of runs of a token method, whose vectors are the embeddings of the tokens found."""
    return agreement(model.embedding[ids.to(model.device)], ids, activation)


def numbers(found: Agreement, starts: Agreement, others: Unrelated, *, soft: bool) -> tuple[Number, ...]:
    """The numbers with their controls, each explained in one line."""
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
            controls.append(Control(START[soft], float(getattr(starts, name)), starts.runs))
        controls.append(Control(others.label, middle(others.numbers(name)), len(others.names)))
        controls = [control for control in controls if np.isfinite(control.value)]
        made.append(Number(name, label, float(getattr(found, name)), n, says, tuple(controls), style))
    return tuple(made)


def pictures(
    found: Agreement, starts: Agreement, others: Unrelated, activations: Sequence[float], *, soft: bool
) -> tuple[Picture, ...]:
    """Similarity of pairs of runs, and what each run reached."""
    rows = [
        Series("this unit's runs", found.pairs, (), "unit"),
        Series(START[soft], starts.pairs, (), "control"),
    ]
    if others.pairs:
        rows.append(Series("unrelated units' runs", others.pairs, (), "other"))
    ranked = sorted(value for value in activations if np.isfinite(value))
    return (
        Picture(
            "strips",
            "How alike are two runs?",
            "cosine similarity after best matching",
            "",
            tuple(rows),
            f"One mark per pair of runs ({len(found.pairs)} pairs of this unit). At 1 two runs found the same"
            f" vectors; where the {START[soft]} are, they have nothing in common.",
        ),
        Picture(
            "strips",
            "What each run reached",
            "final activation",
            "",
            (Series("this unit's runs", tuple(ranked), ()),),
            f"The final activations of {len(ranked)} runs. Equal heights with different vectors mean that"
            " many inputs serve the unit equally well.",
        ),
    )


def sentence(kind: Verdict, found: Agreement, starts: Agreement, *, soft: bool) -> str:
    """The verdict in words."""
    total = found.runs * found.positions
    tokens = f"{found.unique_tokens} of {total} tokens are distinct"
    if kind == "same point":
        return f"{found.runs} runs found the same point (cosine {found.cosine_matched:.2f}); {tokens}."
    chance = f"{starts.participation_ratio:.1f} for {START[soft]}"
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
