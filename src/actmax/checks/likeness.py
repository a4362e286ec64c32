"""Do found texts look, to the unit, like the corpus text that drives it?

1. All residual vectors at the unit's input are standardised as in :mod:`actmax.checks.kinds`.
2. The *likeness* of a position is its mean cosine with the 3 nearest of the strongest corpus examples, so
   that a unit with several kinds of context has several to resemble.
3. A text's *resemblance* is the rank of the likeness of its strongest position among all corpus positions:
   the share that is less alike. 1: more like the examples than any position; 0.5: chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from actmax.checks.examples import strongest_examples
from actmax.checks.sample import UnitSample
from actmax.checks.texts import JudgedText
from actmax.models.read import read
from actmax.results.finding import Control, Number

NEAREST = 3


@torch.no_grad()
def resemblances(sample: UnitSample, texts: Sequence[JudgedText]) -> list[float]:
    """The resemblance of each text; NaN where the unit never changes and so has no strongest examples."""
    if sample.constant:
        return [float("nan")] * len(texts)
    places = strongest_examples(sample)
    examples = sample.scale.directions(sample.vectors(places))
    kept = sample.scale.directions(sample.inputs[sample.kept].numpy())
    rows, columns = np.nonzero(sample.kept)
    here = {place: k for k, place in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))}
    cosine = kept @ examples.T
    cosine[[here[place] for place in places], np.arange(len(places))] = -np.inf  # no example is like itself
    likeness = _likeness(cosine)
    found = []
    for text in texts:
        bos = sample.windows.bos
        whole = list(text.ids) if bos is None else [bos, *text.ids]
        ids = torch.tensor([whole], device=sample.model.device)
        acts = read(sample.model, [sample.input_site], ids=ids)[sample.input_site][0]
        vector = acts[text.peak + (0 if bos is None else 1)].float().cpu().numpy()
        mine = _likeness(sample.scale.directions(vector[None]) @ examples.T)[0]
        found.append(float((likeness < mine).mean()))
    return found


def _likeness(cosine: Float[np.ndarray, "n example"]) -> Float[np.ndarray, " n"]:
    made: Float[np.ndarray, " n"] = np.sort(cosine, axis=1)[:, -NEAREST:].mean(axis=1)
    return made


def agreement_numbers(
    sample: UnitSample, texts: Sequence[JudgedText], alike: Sequence[float], optimum: float
) -> tuple[Number, ...]:
    """How observation and intervention agree; ``optimum`` is what the best vectors give."""
    values = sample.values[0][sample.kept]
    top = float(values.max())
    n = sample.n
    made = []
    if top > 0:
        usual = Control("99.9 % of corpus positions stay below", float(np.quantile(values, 0.999)) / top, n)
        made.append(
            Number(
                "soft_ratio",
                "Soft optimum, in corpus maxima",
                optimum / top,
                n,
                f"The best vectors' activation ({optimum:.3g}) over the largest of {n:,} corpus positions"
                f" ({top:.3g}).",
                (usual,),
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
                f"The strongest position of the best text ({best.source}: {best.activation:.3g}) over the"
                f" largest of {n:,} corpus positions.",
                (usual,),
            )
        )
    if texts:
        made.append(
            Number(
                "resemblance",
                "Does the best text look like the examples?",
                alike[0],
                n,
                f"Share of {n:,} corpus positions whose context is less like the strongest examples than the"
                " best text's strongest position is: 1 is the most alike.",
                (Control("chance", 0.5, n),),
                "cosine",
            )
        )
    return tuple(made)
