"""Do found texts look, to the unit, like the corpus text that drives it?

1. The *typical context* is the mean residual vector, at the unit's input, of the 48 strongest corpus
   examples; all vectors are taken around the mean of all positions.
2. The likeness of a position is the cosine of its vector with that.
3. A text's *resemblance* is the rank of the likeness of its strongest position among all corpus positions:
   the share that is less alike. 1: more like the examples than any position; 0.5: chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from actmax.checks.one_feature import strongest_examples
from actmax.checks.readability import Judged
from actmax.checks.sample import Sample
from actmax.models.read import read
from actmax.results.finding import Control, Number


@torch.no_grad()
def resemblances(sample: Sample, texts: Sequence[Judged]) -> list[float]:
    """The resemblance of each text."""
    kept = sample.inputs[sample.kept].double()
    middle = kept.mean(dim=0)
    rows, columns = zip(*strongest_examples(sample), strict=True)
    typical = sample.inputs[list(rows), list(columns)].double().mean(dim=0) - middle
    typical = typical / typical.norm().clamp_min(1e-30)
    likeness = _cosine(kept - middle, typical)
    found = []
    for text in texts:
        bos = sample.windows.bos
        whole = list(text.ids) if bos is None else [bos, *text.ids]
        ids = torch.tensor([whole], device=sample.model.device)
        acts = read(sample.model, [sample.input_site], ids=ids)[sample.input_site][0]
        vector = acts[text.peak + (0 if bos is None else 1)].double().cpu() - middle
        mine = float(_cosine(vector[None], typical)[0])
        found.append(float((likeness < mine).double().mean()))
    return found


def agreement_numbers(
    sample: Sample, texts: Sequence[Judged], alike: Sequence[float], optimum: float
) -> tuple[Number, ...]:
    """How observation and intervention agree; ``optimum`` is what the best vectors give."""
    values = sample.values[0][sample.kept]
    top = float(values.max())
    n = sample.n
    made = []
    if top > 0:
        made.append(
            Number(
                "soft_ratio",
                "Soft optimum, in corpus maxima",
                optimum / top,
                n,
                f"The best vectors' activation ({optimum:.3g}) over the largest of {n} corpus positions"
                f" ({top:.3g}).",
                (
                    Control(
                        "99.9 % of corpus positions stay below", float(np.quantile(values, 0.999)) / top, n
                    ),
                ),
            )
        )
    if texts and top > 0:
        best = texts[0]
        made.append(
            Number(
                "text_ratio",
                "Best text, in corpus maxima",
                best.activation / top,
                n,
                f"The strongest position of the best text ({best.source}) over the largest of {n} corpus"
                " positions.",
                (Control("median corpus position", float(np.median(values)) / top, n),),
            )
        )
    if texts:
        made.append(
            Number(
                "resemblance",
                "Does the best text look like the examples?",
                alike[0],
                n,
                f"Share of {n} corpus positions whose context is less like the strongest examples than the"
                " best text's strongest position is: 1 is the most alike.",
                (Control("chance", 0.5, n),),
                "cosine",
            )
        )
    return tuple(made)


def _cosine(rows: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    cosine: torch.Tensor = (rows @ direction) / rows.norm(dim=1).clamp_min(1e-30)
    return cosine
